//! A training that was ended at any instant goes on, and ends with the same bytes.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::draw::{colours, draw};
use crate::lab::Lab;

/// Dropout, augmentation, mixed images, repeats, balanced classes, warm-up and cosine, parts of batches,
/// early stopping, rollback: all that has a state, or would have one elsewhere.
const LINE: &str = "train colours --model cnn --epochs 12 --batch 8 --micro-batch 3 --augment standard \
     --augmentation mixup=0.4,cutmix=1,policy=rand,repeats=2 --class-weights sampled \
     --warmup 2 --patience 6 --on-nan rollback --clip 1 --label-smoothing 0.1 --checkpoint-every 2";

fn start(lab: &Lab, line: &str) -> Child {
    let mut program = lab.program(line.split_whitespace());
    program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// No file that a killed process was writing is left.
fn is_clean(lab: &Lab, run: &str) {
    for folder in ["models", "images"] {
        let names = lab.names(&format!("{folder}/{run}"));
        assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    }
}

/// The steps after which a run went on from a checkpoint, as its `run.toml` and its log have them.
fn resumes(lab: &Lab, run: &str) -> [Vec<u64>; 2] {
    let [settings, log] = ["run.toml", "events.jsonl"].map(|file| {
        let path = format!("models/{run}/{file}");
        if lab.exists(&path) { lab.read_text(path) } else { String::new() }
    });
    let settings: toml::Table = settings.parse().unwrap();
    let record = settings.get("record").and_then(|record| record.get("resumed"));
    let record = record.and_then(|times| times.as_array()).into_iter().flatten();
    let record = record.map(|time| time["step"].as_integer().unwrap() as u64);
    // The last line of a killed process may be torn.
    let events =
        log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let events = events.filter(|event| event["event"] == "resumed");
    [record.collect(), events.map(|event| event["step"].as_u64().unwrap()).collect()]
}

#[test]
fn a_training_killed_at_any_instant_goes_on_to_the_same_bytes() {
    let kills = if std::env::var_os("TINDERBOX_LONG_TESTS").is_some() { 200 } else { 10 };
    let lab = colours();
    let clock = Instant::now();
    lab.run(&format!("{LINE} --name whole --threads 1")).good();
    let whole = clock.elapsed().as_millis() as usize;
    let expected = lab.weights("whole");
    let steps = lab.events("whole")[0]["steps"].as_u64().unwrap();
    let (mut random, mut killed, mut run) = (1, 0, 0);
    // Kills before the first checkpoint, after which a run begins anew, and resumes in its midst.
    let (mut early, mut resumed) = (0, 0);
    while killed < kills {
        run += 1;
        let name = format!("run{run}");
        let mut fresh = true;
        loop {
            // Other numbers of threads each time; they must not matter.
            let threads = 1 + draw(&mut random, 3);
            let loaders = 1 + draw(&mut random, 3);
            let threads = format!("--threads {threads} --loader-threads {loaders}");
            let has_begun = lab.exists(&format!("models/{name}/run.toml"));
            let line = match (has_begun, fresh) {
                (true, _) => format!("train --resume {name} {threads}"),
                (false, true) => format!("{LINE} --name {name} {threads}"),
                (false, false) => format!("{LINE} --name {name} --overwrite {threads}"),
            };
            fresh = false;
            let has_checkpoint = lab.exists(&format!("models/{name}/checkpoint.safetensors"));
            let before = resumes(&lab, &name);
            let mut child = start(&lab, &line);
            // One in four is killed at once, also twice in a row, before it got far.
            let wait = if draw(&mut random, 4) == 0 { 60 } else { whole * 3 / 2 };
            std::thread::sleep(Duration::from_millis(draw(&mut random, wait) as u64));
            if killed < kills && child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                killed += 1;
            }
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let code = output.status.code();
            assert!(matches!(code, None | Some(0)), "{line}\nends with {code:?}\n{stderr}");
            // It goes on where there is a checkpoint, and says so, unless it was killed before that.
            let after = resumes(&lab, &name);
            for (before, after) in before.iter().zip(&after) {
                let most = usize::from(has_checkpoint);
                let least = if code.is_some() { most } else { 0 };
                let more = after.strip_prefix(before.as_slice()).expect("no entry is lost").len();
                assert!((least..=most).contains(&more), "{line}: {before:?}, then {after:?}");
            }
            if code.is_some() {
                assert_eq!(after[0].last(), after[1].last(), "{line}: `run.toml` and the log");
                assert!(after[1].is_sorted(), "{line}: {after:?}");
                resumed += after[1].iter().filter(|&&step| 0 < step && step < steps).count();
                break;
            }
            early += usize::from(!lab.exists(&format!("models/{name}/checkpoint.safetensors")));
        }
        assert!(lab.weights(&name) == expected, "{name}, after {killed} kills");
        is_clean(&lab, &name);
        assert_eq!(lab.names(&format!("images/{name}")).len(), 5);
    }
    assert!(resumed > 0, "{early} of {killed} kills came before a checkpoint, none in the midst");
}

#[test]
fn a_stopped_training_goes_on_and_says_so() {
    let lab = colours();
    let line = "train colours --model cnn --epochs 4 --batch 8 --threads 1";
    lab.run(&format!("{line} --name whole")).good();
    let stopped = lab.run(&format!("{line} --name x --stop-after 7")).good();
    assert!(stopped.stdout.contains("stopped after step 7"), "{}", stopped.stdout);
    let resumed = lab.run("train --resume x").good();
    assert!(
        resumed.stderr.contains("resumed after step 7 of 20, 1 complete epoch"),
        "{}",
        resumed.stderr
    );
    assert!(!resumed.stderr.contains("not exact"), "{}", resumed.stderr);
    assert!(lab.weights("x") == lab.weights("whole"));
    let events = lab.events("x");
    let at = events.iter().position(|event| event["event"] == "resumed").unwrap();
    assert_eq!((&events[at]["step"], &events[at]["epoch"]), (&7.into(), &1.into()));
    let epochs: Vec<_> = events.iter().filter(|event| event["event"] == "epoch_finished").collect();
    let epochs: Vec<_> = epochs.iter().map(|event| event["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs, [1, 2, 3, 4]);
    let settings = lab.settings("x");
    assert_eq!(settings["record"]["resumed"][0]["step"].as_integer(), Some(7));
}

#[test]
fn a_norm_goes_on_with_its_own_running_statistics_not_with_the_best_epochs() {
    let lab = colours();
    let line = "train colours --model mobilenet_v2 --size 32 --epochs 4 --batch 12 --threads 1";
    for (name, more) in [("plain", ""), ("rollback", "--on-nan rollback")] {
        lab.run(&format!("{line} {more} --name whole-{name} --stop-after 8")).good();
        lab.run(&format!("{line} {more} --name {name} --stop-after 7")).good();
        lab.run(&format!("train --resume {name} --stop-after 8 --threads 1")).good();
        assert!(lab.weights(name) == lab.weights(&format!("whole-{name}")), "{name}");
    }
}

#[test]
fn the_newest_run_is_the_latest_and_a_finished_one_can_be_trained_further() {
    let lab = colours();
    let line = "train colours --model mlp --batch 8 --threads 1 --schedule constant --warmup 0";
    lab.run(&format!("{line} --epochs 4 --name whole")).good();
    lab.run(&format!("{line} --epochs 2 --name old")).good();
    lab.run(&format!("{line} --epochs 2 --name new")).good();
    let again = lab.run("train --resume latest").good();
    assert!(again.stderr.contains("models/new"), "{}", again.stderr);
    assert!(lab.weights("new") == lab.weights("old"), "nothing was left to do");
    // With a constant learning rate the first two epochs are those of a longer training.
    let further = lab.run("train --resume latest --epochs 4").good();
    assert!(further.stderr.contains("changed: epochs 2 -> 4"), "{}", further.stderr);
    assert!(!further.stderr.contains("not exact"), "{}", further.stderr);
    assert!(lab.weights("new") == lab.weights("whole"));
    assert_eq!(lab.settings("new")["epochs"].as_integer(), Some(4));
    assert_eq!(lab.settings("new")["origin"]["epochs"].as_str(), Some("flag"));
    assert_eq!(lab.settings("new")["origin"]["batch"].as_str(), Some("flag"));
    let changes = &lab.settings("new")["record"]["resumed"][1]["changes"];
    assert_eq!(changes[0].as_str(), Some("epochs 2 -> 4"));
}

#[test]
fn what_changes_the_result_is_said_and_what_cannot_change_is_refused() {
    let lab = colours();
    lab.run("train colours --model mlp --epochs 4 --batch 8 --stop-after 7 --name x").good();
    let line = |rest: &str| lab.run(&format!("train --resume x {rest}"));
    line("--model cnn").fails(2, &["`model` cannot change from mlp to cnn"], "new run");
    line("--optimizer sgd").fails(2, &["`optimizer`"], "new run");
    line("--size 16").fails(2, &["`size`"], "new run");
    line("--name y").fails(2, &["--name"], "keeps its name");
    line("--overwrite").fails(2, &["--overwrite"], "keeps its name");
    line("--config a.toml").fails_usage("--config");
    let changed = line("--lr 0.001 --stop-after 8").good();
    assert!(changed.stderr.contains("lr 0.003 -> 0.001"), "{}", changed.stderr);
    assert!(changed.stderr.contains("not exact"), "{}", changed.stderr);
    let changed = line("--batch 4 --stop-after 100").good();
    assert!(changed.stderr.contains("batch 8 -> 4"), "{}", changed.stderr);
    assert!(changed.stderr.contains("not exact"), "{}", changed.stderr);
    let same = line("--name x --patience 9").good();
    assert!(!same.stderr.contains("not exact"), "{}", same.stderr);
}

#[test]
fn a_run_is_not_continued_on_other_data_nor_where_there_is_none() {
    let lab = colours();
    lab.run("train colours --model mlp --epochs 4 --batch 8 --stop-after 7 --name x").good();
    let (first, new) = ("datasets/colours/train/red/000.png", "datasets/colours/train/red/new.png");
    let whole = lab.read(first);
    lab.write(new, &whole);
    let more = lab.run("train --resume x --stop-after 9").good();
    assert!(more.stderr.contains("1 image is not in that split and left out"), "{}", more.stderr);
    assert!(!more.stderr.contains("not exact"), "{}", more.stderr);
    lab.write(first, [&whole[..], b"more"].concat());
    lab.run("train --resume x").fails(3, &["not those that the run was trained on"], "restore");
    std::fs::remove_file(lab.path(first)).unwrap();
    lab.run("train --resume x").fails(
        3,
        &["1 image of the split is not in", "red/000.png"],
        "restore",
    );
    lab.write(first, &whole);
    lab.run("train --resume y").fails(3, &["no run `y`"], "did you mean `x`");
    lab.run("train --resume latest --models elsewhere").fails(3, &["no run in"], "--models");
    lab.make_folder("models/empty");
    lab.run("train --resume empty").fails(3, &["no `run.toml`"], "--overwrite");
    let all = lab.read("models/x/checkpoint.safetensors");
    lab.write("models/x/checkpoint.safetensors", &all[..all.len() - 1]);
    lab.run("train --resume x").fails(3, &["cannot use `models/x/checkpoint.safetensors`"], "");
    lab.write("models/x/checkpoint.safetensors", lab.read("models/x/run.toml"));
    lab.run("train --resume x").fails(3, &["cannot use `models/x/checkpoint.safetensors`"], "");
}

#[test]
fn a_second_process_on_a_run_is_refused_and_a_killed_one_is_no_hindrance() {
    let lab = colours();
    let line = "train colours --model mlp --epochs 100000 --batch 4 --threads 1 --name x";
    let mut child = start(&lab, line);
    let clock = Instant::now();
    while !lab.exists("models/x/checkpoint.safetensors") {
        assert!(clock.elapsed() < Duration::from_mins(1));
        std::thread::sleep(Duration::from_millis(10));
    }
    for second in ["train --resume x", "train colours --name x --overwrite --epochs 1"] {
        let id = format!("process {}", child.id());
        lab.run(second).fails(1, &["is being trained", &id], "stop it");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lab.exists("models/x/.lock"));
    lab.run("train --resume x --epochs 1").good();
    is_clean(&lab, "x");
}

#[test]
fn a_torn_last_event_is_dropped() {
    let lab = colours();
    lab.run("train colours --model mlp --epochs 2 --batch 8 --stop-after 7 --name x").good();
    let mut events = lab.read("models/x/events.jsonl");
    let whole = events.len();
    events.extend_from_slice(b"{\"v\":1,\"event\":\"epoch_fini");
    lab.write("models/x/events.jsonl", &events);
    lab.run("train --resume x").good();
    assert!(lab.read("models/x/events.jsonl")[..whole] == events[..whole]);
    assert!(lab.events("x").iter().any(|event| event["event"] == "resumed"));
}

#[test]
fn the_program_proves_it_on_the_users_own_data() {
    let lab = colours();
    let line = "verify-resume colours --size 32 --batch 4 --steps 4 --threads 1";
    for model in ["mlp", "lenet", "cnn", "resnet18", "mobilenet_v2"] {
        let proof = lab.run(&format!("{line} --model {model}")).good();
        assert!(proof.stdout.starts_with(&format!("PASS: `{model}`")), "{}", proof.stdout);
    }
    assert!(lab.names("models").is_empty(), "{:?}", lab.names("models"));
    let proof = lab.run(&format!("{line} --model mlp --json")).good().json();
    assert_eq!(proof["same"], true);
    assert!(proof["killed_after"].as_u64().unwrap() >= 4);
    lab.run("verify-resume colours --resume x").fails(2, &["--resume"], "settings");
    lab.run("verify-resume colours --model nope").fails(2, &["nope"], "");
}
