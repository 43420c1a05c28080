"""Stand-in for GDCM, as pydicom's plugin calls it: the bytes after the header of a codestream select what happens."""

import os
import time
import warnings


class Anything:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __getattr__(self, name):
        return Anything


class Version:
    GetVersion = staticmethod(lambda: "3.1.0")


class Fragment(Anything):
    codestream = b""

    def SetByteStringValue(self, src):
        Fragment.codestream = src[49:]


class SequenceOfFragments(Anything):
    New = staticmethod(Anything)


class PhotometricInterpretation(Anything):
    GetPIType = staticmethod(Anything)


class TransferSyntax(Anything):
    GetTSType = staticmethod(Anything)


class Image(Anything):
    def GetBuffer(self):
        codestream = Fragment.codestream
        print("on the standard output", flush=True)
        if codestream.startswith(b"abort"):
            os.abort()
        if codestream.startswith(b"sleep"):
            time.sleep(60)
        if codestream.startswith(b"raise"):
            raise ValueError("no such thing")
        if codestream.startswith(b"short"):
            return "few"
        if codestream.startswith(b"memory"):
            raise MemoryError
        if codestream.startswith(b"warns"):
            warnings.warn("odd", stacklevel=1)
        if codestream.startswith(b"verbose"):
            for number in range(1000):
                warnings.warn("\u00e9" * (1 + number) * 10, stacklevel=1)
        if codestream.startswith(b"wordy"):
            raise ValueError("\u00e9" * 100_000)
        samples = 35 if len(codestream) < 100 else len(codestream) - len(codestream) % 2
        return codestream[:samples].decode("utf-8", "surrogateescape")


DataElement = PixelFormat = Tag = Anything
