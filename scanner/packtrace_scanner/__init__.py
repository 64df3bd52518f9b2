"""The client: reads the codes from pictures and cameras and shows the verdict."""

import os

# OpenCV reads these once, when it is loaded, so they stand before any module that loads it. A small file can claim a
# gigapixel; the largest phone sensors have 200 million. A "video" that is a playlist in disguise must fetch nothing
# from the network.
MAX_IMAGE_PIXELS = 1 << 28
FFMPEG_OPTIONS, NO_NETWORK = "OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file"
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_IMAGE_PIXELS))
os.environ.setdefault(FFMPEG_OPTIONS, NO_NETWORK)
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its messages are ours to give
