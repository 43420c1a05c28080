//! Paths of rendering: windows, tables and palettes of samples in memory.

use crate::images::{SIDE, bytes, grey, never_cancelled, samples};
use crate::{Named, Path};
use dicoxide_core::pixel::render::render_into;
use dicoxide_core::{
    CpuLevel, Grayscale, GrayscaleOptions, Modality, Palette, Rendering, Rescale, SampleType, Samples, SamplesMut, Voi,
};
use std::hint::black_box;

pub(crate) const PATHS: &[Named] = &[
    ("render window", || words(Voi::Linear { center: 40.0, width: 400.0 })),
    ("render sigmoid", || words(Voi::Sigmoid { center: 40.0, width: 400.0 })),
    ("render window of float32", || {
        let samples: Vec<f32> = grey().into_iter().map(f32::from).collect();
        let rendering = grayscale(SampleType::F32, 32, Voi::Linear { center: 40.0, width: 400.0 });
        let mut out = vec![0; samples.len()];
        Box::new(move || render(Samples::F32(&samples), &rendering, &mut out))
    }),
    ("render palette rgb", || {
        let samples = bytes(&samples(SIDE, 8, 1)).into_iter().step_by(2).collect::<Vec<u8>>();
        let entries: Vec<u8> = (0..=u8::MAX).flat_map(|value| [value, !value, value.rotate_left(3)]).collect();
        let rendering = Rendering::Palette(Palette::new(0, Samples::U8(&entries), 3).unwrap());
        let mut out = vec![0; samples.len() * 3];
        Box::new(move || render(Samples::U8(&samples), &rendering, &mut out))
    }),
];

fn words(voi: Voi) -> Path {
    let (samples, rendering) = (grey(), grayscale(SampleType::U16, 12, voi));
    let mut out = vec![0; samples.len()];
    Box::new(move || render(Samples::U16(&samples), &rendering, &mut out))
}

fn grayscale(stored: SampleType, bits: u32, voi: Voi) -> Rendering {
    let modality = Modality::Linear(Rescale { slope: 1.0, intercept: -1024.0 });
    let options = GrayscaleOptions { modality, ..GrayscaleOptions::default() };
    Rendering::Grayscale(Grayscale::new(stored, bits, voi, options).unwrap())
}

fn render(samples: Samples<'_>, rendering: &Rendering, out: &mut [u8]) {
    let out = black_box(SamplesMut::U8(out));
    render_into(samples, rendering, out, 1, false, never_cancelled(), CpuLevel::best()).unwrap();
}
