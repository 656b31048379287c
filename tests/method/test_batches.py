import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data_builders import event_dataset, image_dataset, make_model, prepared, write_images, write_recordings
from tsslbp.data.events import bin_events, stabilize
from tsslbp.data.images import Split
from tsslbp.method.augmentation import ANGLE, draw_moves, gather_images, no_moves
from tsslbp.method.batches import ImageBatches, held_out_split, load_splits
from tsslbp.settings import Augmentation

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("images"), image_dataset(), write_images)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("events"), event_dataset(), write_recordings)


def torchvision():
    """What it does to images. Its import takes seconds, and every process of pytest imports this file, also where it runs none of it."""
    from torchvision.transforms import functional

    return functional


def normalised(image, mean, std):
    """What torchvision makes of a (C, H, W) image of bytes."""
    return torchvision().normalize(torch.from_numpy(image).float().div(255), mean, std)


def joined(batches, axis=0):
    samples, labels = zip(*batches, strict=True)
    return torch.cat(samples, axis), torch.cat(labels)


def test_images_in_order_are_those_of_torchvision_to_the_bit(images):
    folder, (pixels, labels, test_pixels, test_labels) = images
    dataset = image_dataset()
    splits, record = load_splits(folder, dataset, make_model(dataset))
    for batches, bytes_, expected in ((splits.train, pixels, labels), (splits.test, test_pixels, test_labels)):
        x, y = joined(batches.in_order())
        assert x.dtype == torch.float32
        assert y.dtype == torch.int64
        torch.testing.assert_close(x, torch.stack([normalised(image[None], dataset.mean, dataset.std) for image in bytes_]), rtol=0, atol=0)
        assert y.tolist() == expected.tolist()
        assert batches.samples == len(expected)
    assert (record.train_samples, record.test_samples) == (13, 7)


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4, 4, 1]), (13, [13]), (20, [13]), (1, [1] * 13)])
def test_the_last_part_of_a_batch_is_kept(images, batch_size, sizes):
    train = load_splits(images[0], image_dataset(), make_model(image_dataset(), batch_size=batch_size))[0].train
    assert [len(labels) for _, labels in train.in_order()] == sizes
    assert [len(x) for x, _ in train.shuffled(0, 1)] == sizes
    assert len(train) == len(sizes)


def shuffled(batches, seed, epoch):
    x, y = joined(batches.shuffled(seed, epoch))
    return x, y.tolist()


def test_the_order_follows_from_seed_and_epoch_alone(images):
    first, second = (load_splits(images[0], image_dataset(), make_model(image_dataset(), batch_size=size))[0].train for size in (4, 5))
    torch.manual_seed(0)
    expected = shuffled(first, 3, 2)
    torch.manual_seed(1)
    list(second.shuffled(0, 0))
    again = shuffled(second, 3, 2)
    torch.testing.assert_close(again[0], expected[0], rtol=0, atol=0)
    assert again[1] == expected[1]
    others = [shuffled(first, *other)[0] for other in ((3, 1), (3, 3), (2, 2), (2, 3))]
    assert not any(torch.equal(expected[0], other) for other in others)


def test_shuffling_keeps_every_sample_with_its_label(images):
    train = load_splits(images[0], image_dataset(), make_model(image_dataset()))[0].train
    ordered, shuffled_batches = (joined(batches) for batches in (train.in_order(), train.shuffled(0, 1)))
    rows = [sorted((x.numpy().tobytes(), int(y)) for x, y in zip(*both, strict=True)) for both in (ordered, shuffled_batches)]
    assert rows[0] == rows[1]


@pytest.fixture(scope="module")
def coloured():
    generator = np.random.default_rng(0)
    return Split(generator.integers(1, 256, (200, 3, 9, 8), np.uint8), generator.integers(0, 10, 200, np.uint8))


def crops(image):
    """Every crop that 4 pixels of black allow, plain and mirrored, as torchvision makes them: bytes -> (down, right, mirrored)."""
    functional = torchvision()
    padded = functional.pad(torch.from_numpy(image), [4, 4, 4, 4])
    moves = [(top, left, mirrored) for top in range(9) for left in range(9) for mirrored in (False, True)]
    found = [functional.crop(padded, top, left, *image.shape[1:]) for top, left, _ in moves]
    found = torch.stack([functional.hflip(crop) if mirrored else crop for crop, (_, _, mirrored) in zip(found, moves, strict=True)])
    return {crop.numpy().tobytes(): move for crop, move in zip(normalised(found.numpy(), MEAN, STD), moves, strict=True)}


def test_augmented_images_are_crops_of_the_padded_image_perhaps_mirrored(coloured):
    batches = ImageBatches(Split(coloured.images, np.arange(200, dtype=np.uint16)), MEAN, STD, 64, Augmentation(crop=4, flip=True))
    x, y = joined(batches.shuffled(0, 1))
    chosen = [crops(coloured.images[index])[sample.numpy().tobytes()] for sample, index in zip(x, y.tolist(), strict=True)]
    # Each of 9 places 200 / 9 = 22 times and mirrored every second time, within five standard deviations.
    for axis in (0, 1):
        counts = np.bincount([choice[axis] for choice in chosen], minlength=9)
        assert np.abs(counts - 200 / 9).max() < 5 * np.sqrt(200 / 9)
    assert abs(sum(choice[2] for choice in chosen) - 100) < 40
    assert abs(np.corrcoef([choice[0] for choice in chosen], [choice[1] for choice in chosen])[0, 1]) < 0.35


def test_augmentation_is_the_sample_s_own_and_for_training_alone(coloured):
    labels = Split(coloured.images, np.arange(200, dtype=np.uint16))
    small, large = (ImageBatches(labels, MEAN, STD, size, Augmentation(crop=4, flip=True)) for size in (7, 64))
    torch.testing.assert_close(shuffled(small, 1, 5)[0], shuffled(large, 1, 5)[0], rtol=0, atol=0)
    plain = ImageBatches(labels, MEAN, STD, 64)
    torch.testing.assert_close(joined(large.in_order())[0], joined(plain.in_order())[0], rtol=0, atol=0)
    assert shuffled(large, 1, 5)[1] == shuffled(plain, 1, 5)[1]
    first, second = (dict(zip(y, x, strict=True)) for x, y in (shuffled(large, 1, 5), shuffled(large, 1, 6)))
    assert sum(torch.equal(first[index], second[index]) for index in range(200)) < 20


def turned(image, degrees):
    """What torchvision makes of a (C, H, W) image of bytes that is turned, nearest neighbor."""
    return np.stack([np.array(torchvision().rotate(Image.fromarray(channel), degrees)) for channel in image])


def test_a_quarter_turn_loses_nothing_and_a_turn_is_torchvision_s(coloured):
    square = Split(coloured.images[:, :, :8], coloured.labels)
    for degrees in (-30.0, -7.0, 12.5, 30.0, 90.0, 180.0):
        moves = no_moves(len(square.images))
        moves[:, ANGLE] = np.deg2rad(degrees)
        x = np.empty(square.images.shape, np.float32)
        gather_images(square.images, np.arange(len(x)), moves, np.tile(np.arange(256, dtype=np.float32), (3, 1)), x)
        expected = np.stack([turned(image, degrees) for image in square.images])
        # torchvision's own arithmetic has 16 bits after the point: a pixel between two may fall to either.
        assert np.mean(x == expected) > 0.95
        if degrees % 90 == 0:
            np.testing.assert_array_equal(x, np.rot90(square.images, degrees // 90, (2, 3)))


def test_angles_cover_their_range_evenly():
    angles = np.rad2deg(draw_moves(Augmentation(rotate=30), 10_000, 0, 1)[:, ANGLE])
    assert np.abs(angles).max() <= 30
    counts, _ = np.histogram(angles, bins=10, range=(-30, 30))
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_held_out_samples_are_not_trained_on_and_nothing_is_lost():
    trained, held_out = held_out_split(60_000)
    assert (len(trained), len(held_out)) == (55_000, 5_000)
    assert np.array_equal(np.sort(np.concatenate([trained, held_out])), np.arange(60_000))
    with pytest.raises(ValueError, match="11 training samples; at least 12"):
        held_out_split(11)


def test_a_model_that_selects_on_held_out_samples_has_them_apart(images):
    model = make_model(image_dataset()).model_copy(update={"selection": "held-out"})
    splits, _ = load_splits(images[0], image_dataset(), model)
    whole = load_splits(images[0], image_dataset(), make_model(image_dataset()))[0].train
    rows = [sorted(x.numpy().tobytes() for x in joined(batches.in_order())[0]) for batches in (splits.train, splits.held_out, whole)]
    assert (len(rows[0]), len(rows[1])) == (12, 1)
    assert sorted(rows[0] + rows[1]) == rows[2]


@pytest.mark.parametrize("selection", ["test", "held-out"])
def test_a_models_augmentation_moves_its_training_images_alone(images, selection):
    model = make_model(image_dataset()).model_copy(update={"selection": selection})
    moving = model.model_copy(update={"augmentation": Augmentation(crop=2)})
    moved, plain = (load_splits(images[0], image_dataset(), each)[0] for each in (moving, model))
    assert not torch.equal(shuffled(moved.train, 0, 1)[0], shuffled(plain.train, 0, 1)[0])
    assert torch.equal(shuffled(moved.test, 0, 1)[0], shuffled(plain.test, 0, 1)[0])
    if selection == "held-out":
        assert torch.equal(shuffled(moved.held_out, 0, 1)[0], shuffled(plain.held_out, 0, 1)[0])


@pytest.mark.parametrize("time_steps", [2, 30, 100])
def test_events_are_binned_as_bin_events_says(events, time_steps):
    folder, written = events
    dataset = event_dataset()
    splits, _ = load_splits(folder, dataset, make_model(dataset, time_steps))
    for batches, samples in ((splits.train, written["Train"]), (splits.test, written["Test"])):
        x, y = joined(batches.in_order(), axis=1)
        assert x.dtype == torch.uint8
        assert x.shape == (time_steps, len(samples), 2, 34, 34)
        assert y.tolist() == [label for label, _ in samples]
        for index, (_, recording) in enumerate(samples):
            expected = bin_events(stabilize(recording), time_steps)
            np.testing.assert_array_equal(x[:, index].nonzero().numpy(), expected)
        assert x.max() == 1
        assert not x[-1].any()


def test_frames_lie_in_memory_with_channels_last(events):
    dataset = event_dataset()
    for x, _ in load_splits(events[0], dataset, make_model(dataset, 10))[0].train.shuffled(0, 1):
        assert x.permute(0, 1, 3, 4, 2).is_contiguous()


def test_shuffled_recordings_keep_their_labels(events):
    dataset = event_dataset()
    train = load_splits(events[0], dataset, make_model(dataset, 30))[0].train
    sums = []
    for batches in (train.in_order(), train.shuffled(4, 2)):
        x, y = joined(batches, axis=1)
        sums.append(sorted((x[:, index].numpy().tobytes(), int(y[index])) for index in range(13)))
    assert sums[0] == sums[1]
