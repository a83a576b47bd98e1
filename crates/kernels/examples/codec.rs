//! Packs grey images: `cargo run --release -p tinderbox-kernels --example codec -- HEIGHT WIDTH <PIXELS >CODE`.

use std::error::Error;
use std::io::{self, Read, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let size = std::env::args().skip(1).map(|v| v.parse()).collect::<Result<Vec<usize>, _>>()?;
    let &[height, width] = &size[..] else {
        return Err("usage: codec HEIGHT WIDTH <PIXELS >CODE".into());
    };
    let mut pixels = Vec::new();
    io::stdin().read_to_end(&mut pixels)?;
    io::stdout().write_all(&tinderbox_kernels::codec::encode(&pixels, [height, width]))?;
    Ok(())
}
