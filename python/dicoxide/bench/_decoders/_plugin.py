"""Base class of decoders that are plugins of pydicom."""

from __future__ import annotations

from dicoxide.bench._decoders._base import Call, Decoder, LoadedCase

__all__ = ["Plugin"]


class Plugin(Decoder):
    """A plugin of pydicom, timed by `pixel_array`. Subclasses may have a function for the level ``codec``."""

    plugin = ""
    """Name of the plugin in pydicom."""
    levels: tuple[str, ...] = ("pixel_array",)

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        if level == "codec":
            return self._bind_codec(loaded)
        from pydicom.pixels.decoders.base import get_decoder
        from pydicom.pixels.utils import pixel_array

        dataset, uid, plugin = loaded.dataset, loaded.case.transfer_syntax, self.plugin
        if loaded.case.is_native:
            # pydicom decodes native pixel data itself, without plugins.
            return (lambda: pixel_array(dataset, raw=True)) if plugin == "pydicom" else None
        if plugin not in get_decoder(uid).available_plugins:
            return None
        return lambda: pixel_array(dataset, raw=True, decoding_plugin=plugin)

    def _bind_codec(self, loaded: LoadedCase) -> Call | None:
        """Return a function that decodes the first frame from its bytes."""
        return None
