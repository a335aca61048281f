//! The kernels against curve25519-dalek: field, points, whole operations; random, edge and invalid inputs.
use crate::{Backend, Blinder, Points as Elements, Seed, Stream};

/// Seeded bytes.
fn bytes<const N: usize>(stream: &mut Stream) -> [u8; N] {
    std::array::from_fn(|_| stream.u64() as u8)
}

#[test]
fn whole_operations_agree_with_the_portable_backend() {
    let mut stream = Seed::new([1; 32]).stream("kernel", &[]);
    for count in [0, 1, 7, 8, 9, 15, 16, 17, 255, 256, 1500] {
        let uniform: Vec<[u8; 64]> = (0..count).map(|_| bytes(&mut stream)).collect();
        let blinder = Blinder::new(&Seed::new(bytes(&mut stream)));
        let both = [Backend::Ifma, Backend::Portable].map(|b| Elements::map(b, &uniform).times(&blinder).encode());
        assert_eq!(both[0], both[1], "map, {count}");
        let again = [Backend::Ifma, Backend::Portable]
            .map(|b| Elements::decode(b, &both[0]).map(|points| points.times(&blinder).encode()));
        assert_eq!(again[0], again[1], "decode, {count}");
    }
}
