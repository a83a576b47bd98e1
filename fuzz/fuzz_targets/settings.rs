//! A configuration file, which a run's `run.toml` is too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::base::settings::{Given, Origin};
use tinderbox::settings::{resolve, resolve_run, write};
use tinderbox_fuzz::LAB;

fuzz_target!(|bytes: &[u8]| {
    let path = LAB.write("run.toml", bytes);
    let given = |key: &str, value: &str| (key.to_owned(), value.into(), Origin::Flag);
    let flags = vec![given("dataset", "d"), given("data-format", "csv")];
    if let Ok(resolved) = resolve(Some(&path), flags) {
        let text = write(&resolved, &Given::new(), &toml::Table::new()).expect("settings can be written");
        resolve_run(&LAB.write("again.toml", text.as_bytes()), Vec::new()).expect("it is read");
    }
    let Ok((resolved, record)) = resolve_run(&path, Vec::new()) else { return };
    let text = write(&resolved, &Given::new(), &record).expect("settings can be written");
    let (again, _) = resolve_run(&LAB.write("again.toml", text.as_bytes()), Vec::new())
        .expect("what was written is read");
    assert_eq!(write(&again, &Given::new(), &record).expect("settings can be written"), text);
});
