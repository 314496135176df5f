//! Chance that follows from a seed.

/// The next 64 bits of SplitMix64, by S. Vigna (public domain) after G. Steele, D. Lea and C. Flood, "Fast splittable
/// pseudorandom number generators" (2014): a good sequence from any state, for simulations and for delays that must
/// differ. The state is the caller's; nothing here knows where seeds come from.
#[inline]
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
