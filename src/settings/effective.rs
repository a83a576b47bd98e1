//! The values that took effect for settings that were left open.

use tinderbox_base::Result;
use tinderbox_base::settings::{Given, Origin};
use tinderbox_data::Dataset;
use tinderbox_train::Recipe;

/// Every setting whose value that took effect is another than that in the settings, because it was
/// left open, `auto`, or more than the data allow; with whether the data set decided it. `device` and
/// `run` are the names of the chosen device and of the run.
///
/// # Errors
/// If a value cannot be written as TOML.
pub fn effective(recipe: &Recipe, dataset: &Dataset, device: &str, run: &str) -> Result<Given> {
    let mut decided = recipe.decided();
    let mut all = recipe.effective();
    for settings in [&mut decided, &mut all] {
        settings.data.data_format = settings.data.data_format.or(dataset.format);
    }
    device.clone_into(&mut all.run.device);
    all.run.name = Some(run.to_owned());
    let (before, decided) = (recipe.settings.to_table()?, decided.to_table()?);
    let changed = all.to_table()?.into_iter().filter(|(key, value)| before.get(key) != Some(value));
    let [_, height, width] = recipe.card.preprocessing.input();
    let values = changed.map(|(key, value)| {
        let is_decided = decided.get(&key) != before.get(&key);
        let origin = if is_decided { Origin::Data } else { Origin::Default };
        // The setting is a side of a square; images that keep their size may be none.
        let value = match key.as_str() {
            "size" if width != height => format!("{width}x{height}").into(),
            _ => value,
        };
        (key, value, origin)
    });
    Ok(values.collect())
}
