//! Where the frames of an opened object lie, and who decodes them.

use crate::stated::find_codec;
use dicoxide_core::codec::Codec;
use dicoxide_core::frames::{ExtendedOffsets, FrameTable, PixelData};
use dicoxide_core::{DecodeError, FrameInfo, TransferSyntax};
use dicoxide_part10::Image;

/// The pixel data of an object.
pub(crate) fn data_of<'a>(object: &'a dicoxide_part10::Object, image: &'a Image) -> PixelData<'a> {
    let extended = image.extended_offsets.as_ref().map(|(offsets, lengths)| ExtendedOffsets { offsets, lengths });
    PixelData { value: image.value(object), extended }
}

pub(crate) type Opened = (TransferSyntax, &'static dyn Codec, FrameInfo, FrameTable);

/// Where the frames of an object lie, and who decodes them.
pub(crate) fn opened(object: &dicoxide_part10::Object, image: &Image) -> Result<Opened, DecodeError> {
    let (syntax, codec) = find_codec(&image.transfer_syntax)?;
    let info = image.info()?;
    let data = data_of(object, image);
    let table = if syntax.is_encapsulated() {
        FrameTable::encapsulated(&info, data, image.number_of_frames, codec)?
    } else {
        FrameTable::native(&info, data.value.len(), image.number_of_frames, image.word_swapped())?
    };
    Ok((syntax, codec, info, table))
}
