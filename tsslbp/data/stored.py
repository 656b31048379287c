"""The old name of `processed`, for tsslbp/method/batches.py alone; remove it when that imports `kinds.load_split`."""

from tsslbp.data.processed import Recordings, load_images, load_record, load_recordings

__all__ = ["Recordings", "load_images", "load_record", "load_recordings"]
