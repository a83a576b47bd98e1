//! A temporary folder with `datasets`, `models` and `images`, in which the real binary runs.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// No command of these tests takes longer; one that does hangs.
const LIMIT: Duration = Duration::from_mins(5);

pub struct Lab {
    folder: TempDir,
}

/// What a command left: exit code and text.
#[derive(Debug)]
pub struct Answer {
    pub command: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Lab {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tinderbox-lab-").tempdir().unwrap();
        fs::create_dir(folder.path().join("datasets")).unwrap();
        Self { folder }
    }

    /// A path in the lab.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Writes a file and makes the folders above it.
    pub fn write(&self, below: impl AsRef<Path>, data: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, data).unwrap();
    }

    pub fn make_folder(&self, below: &str) {
        fs::create_dir_all(self.path(below)).unwrap();
    }

    pub fn read(&self, below: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(below);
        fs::read(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
    }

    pub fn read_text(&self, below: impl AsRef<Path>) -> String {
        String::from_utf8(self.read(below)).unwrap()
    }

    pub fn exists(&self, below: &str) -> bool {
        self.path(below).exists()
    }

    /// The names in a folder, sorted; none where there is no such folder.
    pub fn names(&self, below: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(below)) else { return Vec::new() };
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// The events of a run.
    pub fn events(&self, run: &str) -> Vec<Value> {
        let text = self.read_text(format!("models/{run}/events.jsonl"));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The settings of a run as its `run.toml` has them.
    pub fn settings(&self, run: &str) -> toml::Table {
        self.read_text(format!("models/{run}/run.toml")).parse().unwrap()
    }

    /// The lines of a run's `dataset.lock` as (split, class, path).
    pub fn lock(&self, run: &str) -> Vec<(String, String, String)> {
        let text = self.read_text(format!("models/{run}/dataset.lock"));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let parts: Vec<&str> = line.splitn(6, '\t').collect();
                (parts[0].to_owned(), parts[1].to_owned(), parts[5].to_owned())
            })
            .collect()
    }

    /// The program, set up to run in the lab whatever the tests' own environment says.
    pub fn program<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tinderbox"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TINDERBOX_") {
                command.env_remove(name);
            }
        }
        for name in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.args(args).current_dir(self.folder.path());
        command
    }

    /// Runs a command line, split at blanks.
    pub fn run(&self, line: &str) -> Answer {
        self.run_with(line, &[], b"")
    }

    /// Runs a command line with environment variables and bytes on stdin.
    pub fn run_with(&self, line: &str, variables: &[(&str, &str)], stdin: &[u8]) -> Answer {
        let mut program = self.program(line.split_whitespace());
        program.envs(variables.iter().copied());
        let output = finish(program, stdin);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Answer {
            command: format!("tinderbox {line}"),
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
        .checked()
    }

    /// Trains on one thread and expects success.
    pub fn train(&self, rest: &str) -> Answer {
        self.run(&format!("train {rest} --threads 1")).good()
    }

    /// Both files of a run that must be equal for equal trainings.
    pub fn weights(&self, run: &str) -> [Vec<u8>; 2] {
        ["model", "checkpoint"].map(|name| self.read(format!("models/{run}/{name}.safetensors")))
    }
}

/// Runs a command to its end with these bytes on stdin.
fn finish(mut command: Command, stdin: &[u8]) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let (id, mut input, stdin) = (child.id(), child.stdin.take().unwrap(), stdin.to_vec());
    // A command that does not read its stdin closes it.
    std::thread::spawn(move || drop(input.write_all(&stdin)));
    let (done, output) = channel();
    std::thread::spawn(move || done.send(child.wait_with_output().unwrap()));
    output.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("process {id} hangs: {command:?}"))
}

impl Answer {
    /// What holds for every command: no panic, no debug dump.
    fn checked(self) -> Self {
        assert_ne!(self.code, 101, "{self:?}");
        for text in ["panicked at", "RUST_BACKTRACE", "os error"] {
            assert!(!self.stderr.contains(text), "{self:?}");
        }
        self
    }

    /// The command succeeded.
    #[track_caller]
    pub fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}\n{}", self.command, self.stdout, self.stderr);
        self
    }

    /// The command failed with `code`; its error has every one of `texts`, its hint has `hint`.
    #[track_caller]
    pub fn fails(self, code: i32, texts: &[&str], hint: &str) -> Self {
        let Self { command, stderr, .. } = &self;
        assert_eq!(self.code, code, "{command}\n{stderr}");
        let start = stderr.find("error: ").unwrap_or_else(|| panic!("{command}\n{stderr}"));
        for text in texts {
            assert!(stderr[start..].contains(text), "{command}\nno `{text}` in\n{stderr}");
        }
        let told = stderr.lines().filter_map(|line| line.strip_prefix("hint: ")).next_back();
        let told = told.unwrap_or_else(|| panic!("{command}\nno hint in\n{stderr}"));
        assert!(told.contains(hint), "{command}\nno `{hint}` in the hint of\n{stderr}");
        self
    }

    /// The command line itself is wrong, and the error says `text`.
    #[track_caller]
    pub fn fails_usage(self, text: &str) -> Self {
        assert!(self.code == 2 && self.stderr.contains(text), "{}\n{}", self.command, self.stderr);
        self
    }

    /// The last line of stdout as JSON of version 1.
    #[track_caller]
    pub fn json(&self) -> Value {
        let line = self.stdout.lines().next_back().unwrap_or_default();
        let value: Value = serde_json::from_str(line)
            .unwrap_or_else(|cause| panic!("{cause}: {}\n{line}", self.command));
        assert_eq!(value["v"], 1, "{line}");
        value
    }

    /// Every line of stdout as JSON of version 1.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let lines: Vec<Value> =
            self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.iter().all(|line| line["v"] == 1), "{}", self.stdout);
        lines
    }

    /// Whether stdout has each of `texts`.
    #[track_caller]
    pub fn shows(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stdout.contains(text),
                "{}\nno `{text}` in\n{}",
                self.command,
                self.stdout
            );
        }
        self
    }
}
