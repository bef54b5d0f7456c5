"""Faces in photographs: where they are, and 468 landmarks of each.

    found = detect(picture)                 # uint8 [H,W,3], RGB
    points = landmarks(picture, found[0])   # float32 [468,3], in pixels of the picture

Both networks come with facegan (`weights/README.md`), and OpenCV runs them on one thread.
"""

from facegan.faces.detector import Face, detect
from facegan.faces.face_mesh import Mesh, landmarks, mesh
from facegan.faces.geometry import Square, cut

__all__ = ["Face", "Mesh", "Square", "cut", "detect", "landmarks", "mesh"]
