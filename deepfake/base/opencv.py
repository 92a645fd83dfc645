"""opencv: cv2 as every processor computes it alike; all of us import it from here.

OpenCV chooses its kernels by the processor, and they round differently. Only those are left that every x86-64 has: no
AVX2, and no IPP, which chooses by the maker, too. What we do with them takes no longer so.
Of threads it has one: there is a process for each core.
"""

import os

os.environ["OPENCV_IPP"] = "disabled"  # setUseIPP is for one thread

import cv2

level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns that IPP is disabled
cv2.setUseOptimized(False)  # at import: a worker process calls nothing of ours before its task
cv2.utils.logging.setLogLevel(level)
cv2.setNumThreads(1)

__all__ = ["cv2"]
