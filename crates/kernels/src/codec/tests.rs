use proptest::prelude::*;

use super::*;

fn round_trip(images: &[u8], size: [usize; 2]) -> usize {
    let code = encode(images, size);
    let mut again = vec![77; images.len()];
    decode(&code, size, &mut again);
    assert_eq!(again, images);
    code.len()
}

proptest! {
    #[test]
    fn images_come_back(height in 1_usize..9, width in 1_usize..9, count in 0_usize..6, seed in any::<u64>()) {
        let pixel = |i: usize| (seed.wrapping_mul(i as u64 | 1) >> 40) as u8;
        round_trip(&(0..count * height * width).map(pixel).collect::<Vec<_>>(), [height, width]);
    }

    #[test]
    fn any_bytes_decode_to_something(code in prop::collection::vec(any::<u8>(), 0..64)) {
        decode(&code, [3, 5], &mut [0; 60]);
    }
}

#[test]
fn what_is_alike_takes_few_bytes() {
    let slope: Vec<u8> = (0..200 * 256).map(|i| (i % 16 * 8 + i / 16 % 16 * 4) as u8).collect();
    assert!(round_trip(&slope, [16, 16]) < slope.len() / 20);
    assert!(round_trip(&vec![0; 28 * 28 * 100], [28, 28]) < 60);
    assert!(round_trip(&vec![255; 28 * 28 * 100], [28, 28]) < 1000);
}
