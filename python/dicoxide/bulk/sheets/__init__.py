"""Contact sheets of archives: pages of labelled thumbnails, one for each series.

    SourceScan ─► plan_tasks ─► plan_tiles ─► Tile… ─► write_pages ────────────────► FILE, or FILE-001.png, …
    headers,      volumes       one per                render_thumbnail ─► draw page
    failures                    series                 threads, in order   rename

Memory is bounded by the headers, one page and a few thumbnails. Each page is written to a temporary file and renamed.

Import from this package, not from its modules. It does not use the command line.
"""

from dicoxide.bulk.sheets._options import IMAGE_FORMATS, SheetError, SheetOptions
from dicoxide.bulk.sheets._pages import PageResult, TileResult, page_paths, write_pages
from dicoxide.bulk.sheets._tiles import Tile, plan_tiles

__all__ = [
    "IMAGE_FORMATS",
    "PageResult",
    "SheetError",
    "SheetOptions",
    "Tile",
    "TileResult",
    "page_paths",
    "plan_tiles",
    "write_pages",
]
