//! Flags, help, completions, and the one place that prints errors and decides the exit code.

mod args;
mod shared_args;
mod train_args;

use std::io::Write;
use std::process::ExitCode;

use args::{Cli, Command, DatasetsCommand, RunsCommand};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use tinderbox_base::signals::end_at_once;
use tinderbox_base::{Error, Folders};

use crate::commands;
use crate::commands::Invocation;

/// Runs the program on the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = write!(anstream::stderr(), "{}", render(&error));
            ExitCode::from(error.fault.exit_code())
        }
    }
}

/// Help and version go to stdout; a mistake goes to stderr with exit code 2.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

/// An error as people read it: what, why, what next.
fn render(error: &Error) -> String {
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let mut text = format!("{red}error{red:#}: {}\n", error.message);
    if let Some(cause) = error.cause.as_ref().filter(|cause| !cause.is_empty()) {
        text += &format!("cause: {cause}\n");
    }
    if let Some(hint) = &error.hint {
        text += &format!("hint: {hint}\n");
    }
    text
}

fn run(cli: Cli) -> Result<(), Error> {
    end_at_once()?;
    let global = cli.global;
    let invocation = Invocation {
        folders: Folders::find(
            global.datasets.as_deref(),
            global.models.as_deref(),
            global.images.as_deref(),
        ),
        verbosity: global.verbosity(),
        json: global.json,
    };
    match cli.command {
        Command::Train(args) => commands::train::run(&invocation, args.into()),
        Command::VerifyResume(args) => {
            commands::verify_resume::run(&invocation, args.train.into(), args.steps as usize)
        }
        Command::Evaluate(args) => commands::evaluate::run(&invocation, &args.into()),
        Command::Predict(args) => commands::predict::run(&invocation, &args.into()),
        Command::Datasets { command: DatasetsCommand::List } => {
            commands::datasets::list(&invocation)
        }
        Command::Datasets { command: DatasetsCommand::Check(args) } => {
            commands::check::run(&invocation, &args.into())
        }
        Command::Datasets { command: DatasetsCommand::Show(args) } => {
            commands::show::run(&invocation, args.into())
        }
        Command::Datasets { command: DatasetsCommand::Speed(args) } => {
            commands::speed::run(&invocation, args.into())
        }
        Command::Datasets { command: DatasetsCommand::Fetch(args) } => {
            commands::fetch::run(&invocation, &args.into())
        }
        Command::Models(args) => commands::models::run(&invocation, &args.into()),
        Command::Runs { command: RunsCommand::List } => commands::runs::list(&invocation),
        Command::Runs { command: RunsCommand::Show { run } } => {
            commands::runs::show(&invocation, &run)
        }
        Command::Devices => commands::devices::run(&invocation),
        Command::Doctor => commands::doctor::run(&invocation),
        Command::Bench(args) => commands::bench::run(&invocation, args.into()),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                "tinderbox",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    }
}
