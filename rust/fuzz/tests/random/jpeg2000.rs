//! Targets that put inputs into valid JPEG 2000 codestreams.

use crate::Random;
use dicoxide_fuzz::{Coverage, TARGETS};

/// Targets, and the minimum share of random inputs that decode, in percent.
const REACHED: [(&str, u64); 2] = [("jpeg2000_block", 30), ("htj2k_block", 1)];

#[test]
fn random_data_in_valid_codestreams_reach_the_decoders() {
    const INPUTS: u64 = 300;
    let mut random = Random(0x0DC0_071D_E000_0001);
    for (name, percent) in REACHED {
        let target = TARGETS.iter().find(|target| target.name == name).unwrap();
        let mut decoded = 0;
        for _ in 0..INPUTS {
            let bytes: Vec<u8> = (0..8 + random.below(60)).map(|_| random.byte()).collect();
            match (target.run)(&bytes) {
                Coverage::Decoded => decoded += 1,
                Coverage::Error => {}
                Coverage::Skipped => panic!("{name} skipped {bytes:?}"),
            }
        }
        println!("{name}: {decoded} of {INPUTS} inputs decoded");
        assert!(decoded * 100 > percent * INPUTS, "{name}: {decoded} of {INPUTS}");
    }
}

#[test]
fn empty_packets_decode() {
    // 5 × 6 pixels, one tile, code-blocks of 64 × 64, one layer; one packet without code-blocks.
    let bytes = [4, 5, 0, 0, 4 | 4 << 3, 0, 0, 8, 0];
    let target = TARGETS.iter().find(|target| target.name == "jpeg2000_packets").unwrap();
    assert_eq!((target.run)(&bytes), Coverage::Decoded);
}
