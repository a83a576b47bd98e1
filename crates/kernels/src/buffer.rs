//! Memory for results.

/// `len` floats of arbitrary value: memory for a result that will be written whole, without the
/// pass that would fill it with zeros first.
#[must_use]
pub fn arbitrary(len: usize) -> Vec<f32> {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut floats = Vec::<f32>::with_capacity(len);
        // SAFETY: the block is allocated and its capacity is at least `len`. The empty assembly
        // takes the pointer and may, for all the compiler knows, write through it: from here on the
        // memory holds values, whatever they are, and every bit pattern is a float.
        unsafe {
            std::arch::asm!("/* {0} */", in(reg) floats.as_mut_ptr(), options(nostack, preserves_flags));
            floats.set_len(len);
        }
        floats
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    vec![0.0; len]
}
