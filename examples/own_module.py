"""Train TSSL-BP neurons inside an nn.Module of your own.

    python -m examples.own_module              # in the checkout
    python own_module.py                       # anywhere, after pip install '.[pipeline]' in the checkout

The network has what `tsslbp.SpikingNetwork` does not: normalization, a skip connection and a read-out of real numbers. It learns
the handwritten digits of scikit-learn (extra `pipeline`).
"""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import tsslbp


class SkipNetwork(nn.Module):
    """Two layers of TSSL-BP neurons among PyTorch's own layers."""

    def __init__(self, pixels: int = 64, hidden: int = 100, classes: int = 10, time_steps: int = 8) -> None:
        super().__init__()
        self.time_steps = time_steps
        self.first = nn.Sequential(nn.Linear(pixels, hidden), nn.LayerNorm(hidden), tsslbp.LIF(tau_m=5.0, tau_s=3.0))
        self.second = nn.Sequential(nn.Linear(hidden, hidden), nn.LayerNorm(hidden), tsslbp.LIF(tau_m=5.0, tau_s=3.0))
        self.read_out = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return class scores (B, classes) for images (B, rows, columns)."""
        shown = images.flatten(1).expand(self.time_steps, -1, -1)  # (T, B, pixels): time comes first, the image stays
        trace = self.first(shown)
        trace = trace + self.second(trace)  # the skip connection: traces are ordinary tensors
        return self.read_out(trace.mean(0))


def load() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images and labels to train on, then those to test on."""
    digits = load_digits()
    images, labels = torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target)
    return images[:1437], labels[:1437], images[1437:], labels[1437:]


def main(epochs: int = 10) -> float:
    """Train, print the test accuracy after every epoch, and return the last one, percent."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # layers this small are fastest on one thread
    images, labels, test_images, test_labels = load()
    network = SkipNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.002)
    accuracy = 0.0
    for epoch in range(1, epochs + 1):
        for chosen in torch.randperm(len(images)).split(50):
            loss = functional.cross_entropy(network(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            accuracy = 100 * (network(test_images).argmax(1) == test_labels).float().mean().item()
        print(f"epoch {epoch}: {accuracy:.1f} % of the test digits")
    return accuracy


if __name__ == "__main__":
    main()
