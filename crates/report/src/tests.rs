//! Every picture, for few and many classes, small and large images, and names of all kinds.
//! With `TINDERBOX_KEEP_PICTURES=FOLDER` they are kept there, to be looked at.

use std::path::Path;

use tinderbox_base::draw::{Draw, Purpose};
use tinderbox_base::{Result, env, files};

use super::*;
use crate::fonts::{Fonts, Names, clean, escape};

/// A made-up picture: a few soft blobs on a gradient.
fn photo(index: u64, width: usize, height: usize, channels: usize) -> Pixels {
    let draw = Draw::at(7, 0, index, Purpose::Synthetic);
    let mut data = Vec::with_capacity(width * height * channels);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            for c in 0..channels as u32 {
                let mut value = 0.15 + 0.3 * draw.unit(40 + c) * v;
                for blob in 0..3 {
                    let (du, dv) = (u - draw.unit(blob * 4), v - draw.unit(blob * 4 + 1));
                    let reach = 0.01 + 0.06 * draw.unit(blob * 4 + 2);
                    value += draw.unit(20 + blob * 4 + c) * (-(du * du + dv * dv) / reach).exp();
                }
                data.push((value * 255.0).clamp(0.0, 255.0) as u8);
            }
        }
    }
    Pixels::new(width, height, channels, data)
}

fn guesses(n: usize, classes: usize, side: usize, channels: usize) -> Vec<Guess> {
    let guess = |i: usize| {
        let draw = Draw::at(1, 0, i as u64, Purpose::Synthetic);
        let truth = draw.below(0, classes.max(1));
        let wrong = draw.unit(1) < 0.3;
        Guess {
            pixels: photo(i as u64, side, side * [1, 1, 3][i % 3] / [1, 1, 4][i % 3], channels),
            truth: Some(truth),
            guess: if wrong { draw.below(2, classes.max(1)) } else { truth },
            confidence: draw.between(3, 0.3, 1.0),
            loss: draw.between(4, 0.0, 9.0),
            name: format!("holiday/summer/IMG_2019080{i}_with-a-rather-long-name.jpg"),
        }
    };
    (0..n).map(guess).collect()
}

/// Names as people give them.
fn names(n: usize, kind: &str) -> Vec<String> {
    let fashion = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ];
    let scripts =
        ["кошка", "σκύλος", "猫", "ネコ科", "𝔄𝔟𝔠 cat", "고양이", "חתול", "ශ්‍රී", "หมา", "😺 cat"];
    let name = |i: usize| match kind {
        "long" => format!("{} that goes on & on, number {i}, <b>for ever</b>", fashion[i % 10]),
        "scripts" => scripts[i % 10].to_owned(),
        _ if n <= 10 => fashion[i].to_owned(),
        _ => format!("{} {}", fashion[i % 10], i / 10),
    };
    (0..n).map(name).collect()
}

fn counts(n: usize) -> Vec<u64> {
    let mut counts = vec![0; n * n];
    for image in 0..n * 200 {
        let draw = Draw::at(3, 0, image as u64, Purpose::Synthetic);
        let truth = image % n;
        let near = (truth + 1 + draw.below(1, 3)) % n;
        let guess = match draw.unit(0) {
            u if u < 0.8 => truth,
            u if u < 0.95 => near,
            _ => draw.below(2, n),
        };
        counts[truth * n + guess] += 1;
    }
    counts
}

fn history(epochs: u32) -> Vec<EpochPoint> {
    let point = |epoch: u32| {
        let t = f64::from(epoch) / f64::from(epochs).max(15.0);
        let noise = f64::from(Draw::at(5, 0, u64::from(epoch), Purpose::Synthetic).normal(0));
        EpochPoint {
            epoch,
            train_loss: 0.25 + 0.9 * (-4.0 * t).exp(),
            val_loss: 0.32 + 0.6 * (-4.0 * t).exp() + 0.06 * t + 0.008 * noise,
            train_top1: Some(0.93 - 0.3 * (-4.0 * t).exp()),
            val_top1: 0.9 - 0.2 * (-4.0 * t).exp() - 0.01 * t + 0.003 * noise,
            lr: 0.0015 * (1.0 + (std::f64::consts::PI * t).cos()),
        }
    };
    (1..=epochs).map(point).collect()
}

/// Decodes a PNG, checks its size, keeps it if asked to.
fn check(name: &str, png: Result<Vec<u8>>) {
    let png = png.unwrap();
    let decoded = image::load_from_memory_with_format(&png, image::ImageFormat::Png).unwrap();
    assert!(decoded.width() <= 1900, "{name}: {} wide", decoded.width());
    assert!(decoded.height() <= 3200, "{name}: {} high", decoded.height());
    if let Some(folder) = env::var("TINDERBOX_KEEP_PICTURES") {
        files::replace(&Path::new(&folder).join(format!("{name}.png")), &png).unwrap();
    }
}

/// The four sheets of photographs.
fn check_sheets(name: &str, guesses: &[Guess], classes: &[String]) {
    let images: Vec<Pixels> = guesses.iter().map(|guess| guess.pixels.clone()).collect();
    let labels: Vec<usize> = guesses.iter().map(|guess| guess.guess).collect();
    check(&format!("batch-{name}"), batch(&images, &labels, 1.0, classes));
    check(&format!("predictions-{name}"), predictions(guesses, classes));
    check(&format!("mistakes-{name}"), mistakes(guesses, classes));
    check(&format!("mosaic-{name}"), mosaic(guesses, classes));
}

#[test]
fn photographs_of_any_size_and_number_make_a_sheet() {
    check_sheets("none", &[], &[]);
    check_sheets("one", &guesses(1, 2, 28, 1), &names(2, ""));
    check_sheets("10-of-28px", &guesses(64, 10, 28, 1), &names(10, ""));
    check_sheets("100-of-32px", &guesses(40, 100, 32, 3), &names(100, ""));
    check_sheets("2-of-512px", &guesses(12, 2, 512, 3), &names(2, ""));
    check_sheets("too-many", &guesses(5000, 10, 3, 3), &names(10, ""));
}

#[test]
fn images_of_odd_shapes_do_not_break_a_sheet() {
    let shapes = [(1, 1), (1, 700), (700, 1), (0, 0), (90, 110), (2000, 30), (0, 9)];
    let guess = |(i, &(w, h)): (usize, &(usize, usize))| Guess {
        pixels: photo(i as u64, w, h, 1 + i % 2 * 2),
        truth: (i % 2 == 0).then_some(i),
        guess: 99,
        confidence: f32::NAN,
        loss: f32::INFINITY,
        name: String::new(),
    };
    let guesses: Vec<Guess> = shapes.iter().enumerate().map(guess).collect();
    check_sheets("odd", &guesses, &names(2, ""));
}

#[test]
fn names_of_any_kind_are_drawn() {
    let mut guesses = guesses(20, 10, 28, 3);
    guesses[3].name = "猫の写真/<&>\u{0}\u{1b}[31m\u{202e}.png".to_owned();
    check_sheets("long", &guesses, &names(10, "long"));
    check_sheets("scripts", &guesses, &names(10, "scripts"));
    let hostile: Vec<String> = [
        "</text><script>",
        "a\u{0}b\nc",
        "\u{ffff}\u{fffe}",
        "",
        "&amp;]]>",
        "x\u{301}\u{301}",
        "\u{1b}[31mred",
        "\u{202e}evil",
        "\"'",
        "\u{10ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    check_sheets("hostile", &guesses, &hostile);
    check("confusion-hostile", confusion(&counts(10), &hostile));
    check("confusion-long", confusion(&counts(10), &names(10, "long")));
    check("confusion-scripts", confusion(&counts(10), &names(10, "scripts")));
}

#[test]
fn curves_suit_one_epoch_and_a_thousand() {
    for epochs in [0, 1, 2, 15, 1000] {
        check(&format!("curves-{epochs}"), curves(&history(epochs)));
    }
    let mut broken = history(12);
    broken[0].train_loss = 900.0;
    for point in &mut broken {
        point.train_top1 = None;
        point.lr = 0.001;
    }
    broken[5].val_loss = f64::NAN;
    broken[7].val_loss = f64::INFINITY;
    broken[11].val_top1 = f64::NEG_INFINITY;
    check("curves-broken", curves(&broken));
    let void = EpochPoint { val_loss: f64::NAN, train_loss: f64::NAN, ..broken[11] };
    check("curves-void", curves(&[EpochPoint { lr: f64::NAN, ..void }]));
}

#[test]
fn a_confusion_matrix_suits_two_classes_and_thousands() {
    for n in [0, 1, 2, 10, 37, 100, 180, 1000] {
        check(&format!("confusion-{n}"), confusion(&counts(n), &names(n, "")));
    }
    check("confusion-empty", confusion(&[], &names(3, "")));
    check("confusion-huge", confusion(&[u64::MAX; 9], &names(3, "")));
}

#[test]
fn charts_are_svg_documents_too() {
    for svg in [curves_svg(&history(15)), confusion_svg(&counts(10), &names(10, "long"))] {
        let svg = svg.unwrap();
        let fonts = Fonts::covering([]).unwrap();
        assert!(fonts.parse(&svg).is_ok());
    }
}

#[test]
fn an_elided_text_is_never_wider_than_its_room() {
    let texts =
        ["Ankle boot", "кошка с очень длинным именем", "Wσκύλος-AVATAR/x.jpg", "ééé ñandú", "…"];
    let fonts = Fonts::covering(texts).unwrap();
    for text in texts.map(clean) {
        for width in 0..160 {
            for size in [11.0, 13.0] {
                let width = width as f32;
                for cut in [fonts.elide(&text, size, width), fonts.elide_middle(&text, size, width)]
                {
                    assert!(fonts.width(&cut, size) <= width, "`{cut}` in {width}");
                    assert!(drawn_width(&fonts, &cut, size) <= width + 0.5, "`{cut}` in {width}");
                }
            }
        }
        assert_eq!(fonts.elide(&text, 13.0, 1e4), text);
    }
    assert_eq!(fonts.elide("Ankle boot", 13.0, 60.0), "Ankle…");
    let both = fonts.elide_middle("Wσκύλος-AVATAR/x.jpg", 13.0, 100.0);
    assert!(both.starts_with('W') && both[both.len() - 4..] == *".jpg", "{both}");
}

/// The width that the renderer comes to.
fn drawn_width(fonts: &Fonts, text: &str, size: f32) -> f32 {
    let text = escape(text);
    let svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg"><text font-size="{size}">{text}</text></svg>"#
    );
    fonts.parse(&svg).unwrap().root().bounding_box().width()
}

#[test]
fn a_name_without_a_font_has_its_number_and_a_legend() {
    // A private-use character that no font has.
    let classes = ["cat".to_owned(), "\u{10fff0}x".to_owned(), "\u{7}".to_owned()];
    let fonts = Fonts::covering(classes.iter().map(String::as_str)).unwrap();
    let names = Names::new(&classes, &fonts);
    assert_eq!(names.label(0), "cat");
    assert_eq!(names.label(1), "#1");
    assert_eq!(names.label(2), "#2");
    assert_eq!(names.label(9), "#9");
    assert_eq!(names.legend([0, 1, 2, 9]), ["#1 = U+10FFF0 x"]);
}

#[test]
fn cleaned_names_hold_no_control_characters() {
    assert_eq!(clean("a\u{0}b\r\n c\u{202e}d\u{1b}[1m"), "a b cd [1m");
    assert_eq!(clean("e\u{301}"), "é");
    assert!(clean(&"x".repeat(1_000_000)).chars().count() < 1000);
    assert_eq!(escape("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
}
