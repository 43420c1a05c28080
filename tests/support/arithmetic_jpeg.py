"""JPEG codestreams with arithmetic coding (T.81 Annex D), which only fallback decoders decode.

Each is a codestream of libjpeg-turbo at quality 98 of 16 × 24 pixels, transcoded by ``jpegtran -arithmetic`` without
loss. The application data are removed, so that tests add those that declare a colour.
"""

from __future__ import annotations

from base64 import b85decode

import numpy as np

__all__ = ["COLOUR", "GRAY", "GRAY_HUFFMAN", "GRAY_PROGRESSIVE", "GRAY_SEQUENTIAL", "RGB_COMPONENTS", "YBR_COMPONENTS"]

_COLUMNS, _ROWS = np.meshgrid(np.arange(24), np.arange(16))
# The images before coding.
GRAY = (_COLUMNS * 9 + _ROWS * 5).astype(np.uint8)
COLOUR = np.stack([200 + 0 * _COLUMNS, 40 + _COLUMNS, 60 + _ROWS], axis=-1).astype(np.uint8)

# SOF0, SOF9 and SOF10 with the same coefficients.
GRAY_HUFFMAN = b85decode(
    "|JeWA07C!)0RaI40RaI40RaI40RaL50RaI40s#R50s;a80s;a80s{jC0|NsC0|EjA1Oo#E1Ox;G0s{pF1Ox>H1Ox>CzyJ#f01yBe"
    "0Ra&J|HJ?l009920000000000000000162I!~iJ}0003D0Rsg900000000002LJ;E1qKKdBsD@(aRLDe6A={_86*GN00;pA002J#"
    "Fz&VzQ>AdTM35b9B&SN@W{Ds=*hx;6!p#uBb+D41D}|aQfa_r;I#&xcRtIwTz52xM!YYr<+4upqvG4(I&m$G$ZrW5-*afHRtXLp*"
    "_9O%q+eZwwGsO)*<4`=$8#tI}*Z<i"
)
GRAY_SEQUENTIAL = b85decode(
    "|JeWA07C!)0RaI40RaI40RaI40RaL50RaI40s#R50s;a80s;a80s{jC0|NsC0|EjA1Oo#E1Ox;G0s{pF1Ox>H1Ox>C$p8xo01yBe"
    "0Ra&J|I7de01yxb|Jncu0RaF2KLGy#_JNvdJ`&i<&<*<zxKQ+{=(z?|ap$MdwU{f#rwS82?@<dMlAE8QJnF)Hspd)Q{CNs&x#a;{"
    "tj0z20V?I#M@B$wUA$w*HWCkrI1}zagKk;&r)u3eL?qKVVbQl<Z-c&`KJ7tb@}<K(j!~j%sI3Ue2jDT1bpP1"
)
GRAY_PROGRESSIVE = b85decode(
    "|JeWA07C!)0RaI40RaI40RaI40RaL50RaI40s#R50s;a80s;a80s{jC0|NsC0|EjA1Oo#E1Ox;G0s{pF1Ox>H1Ox>C$^Z)p01yBe"
    "0Ra&J|I7dc01*G$00;pA00001{{Za@QmOC>`02<0%m4%s1^?Or2mt{A0R;jUccFGxTA;q?){Bt7Y+Y7Iis=8$00a;P|Jncu0RaF8"
    "KLQ!%Md8N<sm(h>J>=11G&4Oe!Qs%Pl#BCEOZ+jlZqcMhMW<TY9~=E6>{v3$;Q!131P}%P+5iXv0RRC%As=nqo3-cn6UZ~NZqM3r"
    "g#X$A2mt{A000nB|I7dc5C#9*00;pA00BP`BwROw_Ku#9N#B^}xT>uKK>yh"
)
# SOF9; the components are Y, Cb, Cr.
YBR_COMPONENTS = b85decode(
    "|JeWA07C!)0RaI40RaI40RaI40RaL50RaI40s#R50s;a80s;a80s{jC0|NsC0|EjA1Oo#E1Ox;G0s{pF1Ox>H1Ox>C+W<oW0RaI4"
    "0RaL50RjXA0s{mD1Ox;G1Ox;G1Ox;G1Ox;G1Ox;G1Ox;G1Ox;G1Ox;G1Ox;G1Ox;G1Ox;G1Ox;G|H%Lm2mlZO7y|(j00I#K0}%oL"
    "%m4}i5D*0c5D^9c+5ij#0RRFK0}%i}0RI5&x$4IY6~jqOs{{x~?n&#iweR0}_i?%X{LVl)%X|W7TCb9_D&vJ}9J>f+6c2M3h|42D"
    "Y5AwCg6L%JQ$G2{Yz2x(ISyH)u>aW"
)
# SOF9; the components are R, G, B.
RGB_COMPONENTS = b85decode(
    "|JeWA07C!)0RaI40RaI40RaI40RaL50RaI40s#R50s;a80s;a80s{jC0|NsC0|EjA1Oo#E1Ox;G0s{pF1Ox>H1Ox>C$p8@u01yBe"
    "15yzHM-c!*5di<p00saM5C#9*01N|C07n2q002J#(&ykPD8eVKc+^N4En^k0oAGe2^NHnAI=sS@5i_uIdNT6_UMh{je2Y3j|Je"
)
