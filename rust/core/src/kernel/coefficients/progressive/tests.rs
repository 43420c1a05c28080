//! Every CPU level against the figures of T.81 Annex G, bit by bit.

#![allow(clippy::cast_possible_truncation, reason = "the tests make their own input")]

use super::*;
use crate::testing::{Random, miri_or};

/// A Huffman table of DHT.
struct Spec {
    counts: [u8; 16],
    values: Vec<u8>,
}

impl Spec {
    /// Random code with up to 256 codes. Mostly complete, so that random bits rarely meet an unassigned code.
    fn any(random: &mut Random, mut value: impl FnMut(&mut Random) -> u8) -> Self {
        let mut lengths = vec![1, 1];
        for _ in 0..random.below(100) {
            let index = random.below(lengths.len());
            if lengths[index] < 16 {
                lengths[index] += 1;
                lengths.push(lengths[index]);
            }
        }
        if random.below(4) == 0 {
            lengths.pop();
        }
        let mut counts = [0; 16];
        lengths.iter().for_each(|length: &usize| counts[length - 1] += 1);
        Self { counts, values: lengths.iter().map(|_| value(random)).collect() }
    }

    fn code(&self) -> HuffmanCode<'_> {
        HuffmanCode { counts: &self.counts, values: &self.values }
    }
}

/// Reads bits one by one.
struct Bits<'a> {
    data: &'a [u8],
    offset: usize,
    end_bit: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> u32 {
        let bit = self.data.get(self.offset / 8).map_or(0, |byte| byte >> (7 - self.offset % 8) & 1);
        self.offset += 1;
        u32::from(bit)
    }

    fn receive(&mut self, count: u8) -> u32 {
        (0..count).fold(0, |bits, _| bits << 1 | self.bit())
    }

    /// T.81 Figure F.12.
    fn extend(&mut self, size: u8) -> i32 {
        let bits = self.receive(size).cast_signed();
        if size > 0 && bits < 1 << (size - 1) { bits + 1 - (1 << size) } else { bits }
    }

    /// T.81 Figure F.16.
    fn decode(&mut self, spec: &Spec) -> Result<u8, CoefficientError> {
        let start = self.offset;
        let (mut code, mut first, mut value_index) = (0, 0, 0);
        for count in spec.counts {
            code = code << 1 | self.bit();
            first <<= 1;
            if code < first + u32::from(count) {
                return Ok(spec.values[value_index + (code - first) as usize]);
            }
            first += u32::from(count);
            value_index += usize::from(count);
        }
        let is_inside = start + 16 <= self.end_bit;
        Err(if is_inside { CoefficientError::Unassigned { bit_offset: start } } else { CoefficientError::Truncated })
    }
}

/// First scan of a band (T.81 Figure G.3), of a block in zigzag order.
fn reference_first(
    bits: &mut Bits<'_>,
    spec: &Spec,
    band: AcBand,
    block: &mut [i16; 80],
    eob_run: &mut usize,
) -> Result<(), CoefficientError> {
    if *eob_run > 0 {
        *eob_run -= 1;
        return Ok(());
    }
    let mut k = usize::from(band.first);
    while k <= usize::from(band.last) {
        let value = bits.decode(spec)?;
        let (run, size) = (value >> 4, value & 15);
        if size > 0 {
            k += usize::from(run);
            block[k.min(63)] = (bits.extend(size) << band.low) as i16;
        } else if run == 15 {
            k += 15;
        } else {
            *eob_run = (1 << run) - 1 + bits.receive(run) as usize;
            break;
        }
        k += 1;
    }
    Ok(())
}

/// Refinement of a band (T.81 Figures G.7 to G.9), of a block in zigzag order.
fn reference_refinement(
    bits: &mut Bits<'_>,
    spec: &Spec,
    band: AcBand,
    block: &mut [i16; 80],
    eob_run: &mut usize,
) -> Result<(), CoefficientError> {
    let last = usize::from(band.last);
    let unit = 1_i16 << band.low;
    let correct = |bits: &mut Bits<'_>, coefficient: &mut i16| {
        if bits.bit() == 1 && *coefficient & unit == 0 {
            *coefficient = coefficient.wrapping_add(if *coefficient < 0 { -unit } else { unit });
        }
    };
    let mut k = usize::from(band.first);
    if *eob_run == 0 {
        while k <= last {
            let value = bits.decode(spec)?;
            let (mut run, size) = (value >> 4, value & 15);
            let mut coefficient = 0;
            if size > 0 {
                coefficient = if bits.bit() == 1 { unit } else { -unit };
            } else if run < 15 {
                *eob_run = (1 << run) + bits.receive(run) as usize;
                break;
            }
            while k <= last {
                if block[k] != 0 {
                    correct(bits, &mut block[k]);
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
            if size > 0 {
                block[k.min(63)] = coefficient;
            }
            k += 1;
        }
    }
    if *eob_run > 0 {
        (k..=last)
            .filter(|k| block[*k] != 0)
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|k| correct(bits, &mut block[k]));
        *eob_run -= 1;
    }
    Ok(())
}

/// Blocks in zigzag order → kernel data; blocks without coefficients have invalid content.
fn to_planes(zigzag: &[[i16; 80]]) -> (Vec<Block>, Vec<u64>) {
    let mut blocks = vec![[0x5A5A; 64]; zigzag.len()];
    let mut nonzero = vec![0; zigzag.len()];
    for ((block, nonzero), zigzag) in blocks.iter_mut().zip(&mut nonzero).zip(zigzag) {
        *nonzero = (0..64).filter(|k| zigzag[*k] != 0).fold(0, |word, k| word | 1 << (63 - k));
        if *nonzero != 0 {
            (0..64).for_each(|k| block[usize::from(super::super::NATURAL_ORDER[k])] = zigzag[k]);
        }
    }
    (blocks, nonzero)
}

fn any_data(random: &mut Random) -> Vec<u8> {
    let mask = [0xFF, 0xFF, 0x77, 0][random.below(4)];
    let mut data: Vec<u8> = (0..random.below(miri_or(400, 60))).map(|_| random.next() as u8 & mask).collect();
    data.extend([0; 8]);
    data
}

#[test]
fn decode_ac_of_any_tables_and_bits_equals_reference() {
    let mut random = Random(0x0DDB_1A5E_5BAD_5EED);
    let mut completed = [0; 2];
    for round in 0..miri_or(6000, 30) {
        let is_refinement = random.below(2) == 1;
        let short_runs = random.below(2) == 0;
        let spec = Spec::any(&mut random, |random| {
            let (run, size) = (random.below(16), random.below(if is_refinement { 2 } else { 16 }));
            let run = if size == 0 && short_runs { [0, 1, 2, 15][random.below(4)] } else { run };
            (run << 4 | size) as u8
        });
        let table = AcTable::new(spec.code(), is_refinement);
        let first = 1 + random.below(63) as u8;
        let last = first + random.below(64 - usize::from(first)) as u8;
        let (first, last) = if random.below(3) == 0 { (1, 63) } else { (first, last) };
        let low = random.below(14) as u8;
        let band = AcBand { first, last, low };
        let data = any_data(&mut random);
        let state = SegmentState {
            eob_run: random.below(3) * random.below(5),
            ..SegmentState::new(random.below(20), random.below(data.len() * 8 + 20))
        };
        let density = [0, 1, 8, 63][random.below(4)];
        let zigzag: Vec<[i16; 80]> = (0..random.below(30))
            .map(|_| {
                let mut block = [0; 80];
                for coefficient in &mut block[1..64] {
                    let is_zero = random.below(64) >= density;
                    let value =
                        [(random.next() as i16) << low, random.next() as i16][usize::from(random.below(8) == 0)];
                    *coefficient = if is_zero { 0 } else { value };
                }
                block
            })
            .collect();
        let mut bits = Bits { data: &data, offset: state.bit_offset, end_bit: state.end_bit };
        let (mut expected_zigzag, mut eob_run) = (zigzag.clone(), state.eob_run);
        let reference = if is_refinement { reference_refinement } else { reference_first };
        let mut expected = Ok(());
        for block in &mut expected_zigzag {
            expected = expected.and_then(|()| reference(&mut bits, &spec, band, block, &mut eob_run));
        }
        if bits.offset > state.end_bit {
            expected = expected.and(Err(CoefficientError::Truncated));
        }
        let (expected_blocks, expected_nonzero) = to_planes(&expected_zigzag);
        for level in CpuLevel::available() {
            let mut state = state.clone();
            let (mut blocks, mut nonzero) = to_planes(&zigzag);
            let result = decode_ac(
                &data,
                &mut state,
                &table,
                AcBlocks { band, blocks: &mut blocks, nonzero: &mut nonzero },
                level,
            );
            assert_eq!(result, expected, "{round} {}", level.name());
            if expected.is_ok() {
                assert_eq!((state.bit_offset, state.eob_run), (bits.offset, eob_run), "{round} {}", level.name());
                assert_eq!(nonzero, expected_nonzero, "{round}");
                for ((block, expected), nonzero) in blocks.iter().zip(&expected_blocks).zip(&nonzero) {
                    assert!(*nonzero == 0 || block == expected, "{round} {}", level.name());
                }
                completed[usize::from(is_refinement)] += zigzag.len();
            }
        }
    }
    assert!(cfg!(miri) || completed.iter().all(|blocks| *blocks > 5000), "{completed:?}");
}

#[test]
fn decode_dc_of_any_tables_and_bits_equals_reference() {
    let mut random = Random(0xD0C0_FFEE_0000_0001);
    let mut completed = 0;
    for round in 0..miri_or(2000, 20) {
        let specs: Vec<Spec> = (0..3).map(|_| Spec::any(&mut random, |random| random.below(16) as u8)).collect();
        let tables: Vec<DcTable> = specs.iter().map(|spec| DcTable::new(spec.code())).collect();
        let low = random.below(14) as u8;
        let data = any_data(&mut random);
        let state = SegmentState {
            predictors: [3, -7, i16::MIN, 0],
            ..SegmentState::new(random.below(20), random.below(data.len() * 8 + 20))
        };
        let positions: Vec<DcPosition> =
            (0..1 + random.below(6)).map(|offset| DcPosition { component: random.below(3), offset, step: 6 }).collect();
        let mcus = random.below(3)..random.below(12);
        let before: Vec<i16> = (0..72).map(|_| random.next() as i16).collect();
        let (mut expected_first, mut expected_refined) = (before.clone(), before.clone());
        let mut bits = Bits { data: &data, offset: state.bit_offset, end_bit: state.end_bit };
        let mut predictors = state.predictors;
        let mut expected = Ok(());
        let mut refinement_bits = Bits { data: &data, offset: state.bit_offset, end_bit: state.end_bit };
        for mcu in mcus.clone() {
            for DcPosition { component, offset, step } in &positions {
                let category = expected.and_then(|()| bits.decode(&specs[*component]));
                expected = category.map(|category| {
                    predictors[*component] = predictors[*component].wrapping_add(bits.extend(category) as i16);
                    expected_first[offset + mcu * step] = predictors[*component] << low;
                });
                expected_refined[offset + mcu * step] |= (refinement_bits.bit() << low) as i16;
            }
        }
        let expected =
            expected.and(if bits.offset > state.end_bit { Err(CoefficientError::Truncated) } else { Ok(()) });
        for level in CpuLevel::available() {
            let (mut state, mut dc) = (state.clone(), before.clone());
            let result = decode_dc_first(
                &data,
                &mut state,
                &tables,
                DcMcus { positions: &positions, mcus: mcus.clone(), low, dc: &mut dc },
                level,
            );
            assert_eq!(result, expected, "{round} {}", level.name());
            if expected.is_ok() {
                assert_eq!((state.bit_offset, state.predictors), (bits.offset, predictors), "{round}");
                assert_eq!(dc, expected_first, "{round}");
                completed += 1;
            }
        }
        let (mut state, mut dc) = (state.clone(), before);
        let result = refine_dc(&data, &mut state, DcMcus { positions: &positions, mcus, low, dc: &mut dc });
        assert_eq!(result.is_ok(), refinement_bits.offset <= state.end_bit, "{round}");
        assert!(result.is_err() || dc == expected_refined && state.bit_offset == refinement_bits.offset, "{round}");
    }
    assert!(cfg!(miri) || completed > 500, "{completed}");
}

/// The example of the module documentation.
#[test]
fn decode_ac_documented_example_refines_its_coefficients() {
    // Code `0` for run 1 and a new coefficient, `10` for EOB.
    let mut counts = [0; 16];
    counts[..2].copy_from_slice(&[1, 1]);
    let table = AcTable::new(HuffmanCode { counts: &counts, values: &[0x11, 0] }, true);
    // Symbol, sign, correction bit of position 2; EOB, correction bit of position 5.
    let data = [0b0111_0000, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut zigzag = [0; 80];
    (zigzag[2], zigzag[5]) = (6, -3);
    for level in CpuLevel::available() {
        let (mut blocks, mut nonzero) = to_planes(&[zigzag]);
        let mut state = SegmentState::new(0, 6);
        let band = AcBand { first: 1, last: 63, low: 0 };
        decode_ac(&data, &mut state, &table, AcBlocks { band, blocks: &mut blocks, nonzero: &mut nonzero }, level)
            .unwrap();
        (zigzag[2], zigzag[3]) = (7, 1);
        assert_eq!((blocks, nonzero), to_planes(&[zigzag]));
        (zigzag[2], zigzag[3]) = (6, 0);
        assert_eq!(state.bit_offset, 6);
    }
}
