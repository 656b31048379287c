"""What computes: this project, the other libraries and the lower bound, each built for the same case and fed the same samples."""
