//! What a training says and writes before its first step.

use tinderbox_base::env::timestamp;
use tinderbox_base::log::Log;
use tinderbox_base::units::{count, plural, thousands};
use tinderbox_base::{Error, Event, Events, Result, files};
use tinderbox_nn::{Kernels, Shapes};
use tinderbox_train::State;
use toml::Table;

use super::data::{describe, describe_balance};
use super::pictures;
use super::resume::Change;
use super::run_directory::RunDirectories;
use super::train::Session;
use crate::settings::{effective, write};
use crate::terminal::Reporter;

impl Session<'_> {
    /// The banner: what is trained on what, where, and how that was chosen.
    pub(super) fn announce(
        &self,
        places: &RunDirectories,
        shapes: &Shapes,
        (change, warning): (Option<&Change>, Option<String>),
        out: &Reporter,
    ) {
        let (parameters, flops) = (shapes.parameters(), shapes.flops());
        let origin = |key: &str| match self.resolved.origins.get(key) {
            Some(origin) => origin.to_string(),
            None => "default".to_owned(),
        };
        let place = match &self.dataset.path {
            Some(path) => path.display().to_string(),
            None => "in the program".to_owned(),
        };
        let reason = self.device.reason.map_or_else(|| origin("device"), str::to_owned);
        let operators = match self.context.kernels {
            Kernels::On | Kernels::Direct => "",
            Kernels::Off => ", burn's operators",
        };
        let device = format!(
            "{}{operators}, {}",
            self.device.description,
            plural(self.recipe.settings.run.compute_threads(), "thread", "threads")
        );
        let device_name = self.device.id.to_string();
        let rows = [
            (self.dataset.name.as_str(), describe(&self.dataset, &self.recipe), place),
            (
                self.recipe.model.as_str(),
                format!("{} parameters, {}FLOP an image", thousands(parameters), count(flops)),
                origin("model"),
            ),
            (device_name.as_str(), device, reason),
            ("run", places.models.path().display().to_string(), self.start_of_run()),
        ];
        let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
        for (name, what, why) in rows {
            let why = if why.is_empty() { why } else { format!("  ({why})") };
            out.say(&format!("{name:width$}  {what}{why}"));
        }
        let counts = self.samples[0].class_counts();
        if let Some(balance) = describe_balance(&self.recipe, &counts) {
            out.say(&balance);
        }
        self.notes.iter().for_each(|note| out.say(&format!("warning: {note}")));
        if let Some(warning) = warning {
            out.say(&format!("warning: {warning}"));
        }
        change.map(Change::lines).into_iter().flatten().for_each(|line| out.say(&line));
        out.say("");
        for (key, origin) in &self.resolved.origins {
            out.detail(&format!("setting {key} from {origin}"));
        }
    }

    /// Where a run that goes on does so.
    fn start_of_run(&self) -> String {
        match self.saved_state() {
            None if self.resumed.is_none() => String::new(),
            None => "resumed from its start: there is no checkpoint".to_owned(),
            Some(state) => format!(
                "resumed after step {} of {}, {}",
                thousands(state.step as u64),
                thousands(self.recipe.learning.schedule.steps() as u64),
                plural(state.history.len(), "complete epoch", "complete epochs")
            ),
        }
    }

    /// What computes, as a resume compares it.
    pub(super) fn device_record(&self) -> Table {
        Table::from_iter([
            ("device".to_owned(), self.device.id.to_string().into()),
            ("device-description".to_owned(), self.device.description.clone().into()),
        ])
    }

    /// How the run is done: by which program, on what, when, and what became of `auto`. `changes` are
    /// those of a run that goes on.
    fn run_record(
        &self,
        places: &RunDirectories,
        device: Table,
        changes: &[String],
    ) -> Result<Table> {
        let now = || toml::Value::from(timestamp());
        let older = self.resumed.as_ref().map(|run| &run.record);
        let kept = |key: &str| older.and_then(|record| record.get(key)).cloned();
        let augmentation = Table::try_from(self.recipe.augmentation)
            .map_err(|cause| Error::failed("cannot write the augmentation").cause(cause))?;
        let mut record = Table::from_iter([
            ("started".to_owned(), kept("started").unwrap_or_else(now)),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").into()),
            ("run".to_owned(), places.name.clone().into()),
            ("batch".to_owned(), (self.recipe.learning.batch as i64).into()),
            ("micro-batch".to_owned(), (self.recipe.learning.micro_batch as i64).into()),
            ("augmentation".to_owned(), augmentation.into()),
        ]);
        record.extend(device);
        let mut resumed = match kept("resumed") {
            Some(toml::Value::Array(times)) => times,
            _ => Vec::new(),
        };
        if let Some(state) = self.saved_state() {
            let time = Table::from_iter([
                ("at".to_owned(), now()),
                ("step".to_owned(), (state.step as i64).into()),
                ("changes".to_owned(), changes.to_vec().into()),
            ]);
            resumed.push(time.into());
        }
        if !resumed.is_empty() {
            record.insert("resumed".to_owned(), resumed.into());
        }
        Ok(record)
    }

    /// The state that a run goes on from; none for a new one and for one without a checkpoint.
    fn saved_state(&self) -> Option<&State> {
        self.resumed.as_ref()?.saved.as_ref().map(|saved| &saved.state)
    }

    /// Writes `dataset.lock` with the contents that are known by now.
    pub(super) fn keep_lock(&self, places: &RunDirectories) -> Result<()> {
        let path = places.models.path().join("dataset.lock");
        let older = files::read_text(&path).ok();
        let text = self.lock.text(&self.dataset, &self.samples, older.as_deref());
        if older.as_deref() == Some(&text) {
            return Ok(());
        }
        files::replace(&path, text.as_bytes())
    }

    /// What is written before the first step: settings, lock, log, and the picture of a batch.
    pub(super) fn record(
        &self,
        places: &RunDirectories,
        device: Table,
        change: Option<Change>,
        out: &mut Reporter,
    ) -> Result<()> {
        let folder = places.models.path();
        let changes = change.map(|change| change.changes).unwrap_or_default();
        let record = self.run_record(places, device, &changes)?;
        let effective =
            effective(&self.recipe, &self.dataset, &self.device.id.to_string(), &places.name)?;
        let text = write(&self.resolved, &effective, &record)?;
        files::replace(&folder.join("run.toml"), text.as_bytes())?;
        self.keep_lock(places)?;
        let log = folder.join("events.jsonl");
        if let Some(state) = self.saved_state() {
            out.log_to(Log::resume(&log)?);
            out.event(&Event::Resumed { step: state.step, epoch: state.history.len(), changes })?;
        } else {
            out.log_to(Log::create(&log)?);
            out.event(&Event::RunStarted {
                run: places.name.clone(),
                dataset: self.dataset.name.clone(),
                model: self.recipe.model.clone(),
                device: self.device.id.to_string(),
                steps: self.recipe.learning.schedule.steps(),
                images: [&self.train, &self.val, &self.test].map(|split| split.samples.len()),
            })?;
        }
        pictures::batch(&places.images, &self.train, &self.recipe.card.classes)
    }
}
