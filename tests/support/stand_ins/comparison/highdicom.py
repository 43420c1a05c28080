"""Stand-in for highdicom in tests of comparison runs: one stored value is wrong, and rescaled frames are an error."""

import pydicom


class Image:
    def __init__(self, path):
        self.values = pydicom.dcmread(path).pixel_array

    def get_stored_frames(self):
        values = self.values.copy()
        values.reshape(-1)[7] += 1
        return values

    def get_frames(self, **options):
        raise ValueError("no such <thing>")


def imread(path):
    return Image(path)
