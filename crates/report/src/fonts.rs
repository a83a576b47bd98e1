//! Type: one embedded font, the system's fonts for what it lacks, and widths measured with them.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock};

use resvg::usvg::fontdb::{Database, ID, Source};
use resvg::usvg::{FontResolver, Group, Node, Options, Text, Tree};
use tinderbox_base::{Error, Result};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// `DejaVu Sans`: Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic and most signs.
static EMBEDDED: &[u8] = include_bytes!("../assets/DejaVuSans.ttf");

/// The family name of the embedded font.
pub(super) const FAMILY: &str = "DejaVu Sans";

/// What the pictures themselves write, measured whatever the names are.
const ALWAYS: std::ops::RangeInclusive<char> = ' '..='~';

/// Longer names are cut in their middle before anything is measured.
const LONGEST: usize = 400;

/// The fonts of one picture: which characters they have and how wide each is.
pub(super) struct Fonts {
    /// Advance of every covered character, in ems.
    widths: HashMap<char, f32>,
    database: Arc<Database>,
}

impl Fonts {
    /// Fonts for `texts`. The system's fonts are looked for only if the embedded one lacks a
    /// character, because that takes a while.
    ///
    /// # Errors
    /// If the embedded font cannot be read: never, unless the program file is damaged.
    pub(super) fn covering<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut wanted: BTreeSet<char> = ALWAYS.chain("…→–×·“”".chars()).collect();
        wanted.extend(texts.into_iter().flat_map(|text| clean(text).chars().collect::<Vec<_>>()));
        let mut fonts = Self { widths: HashMap::new(), database: embedded() };
        fonts.measure(&wanted, "H")?;
        wanted.retain(|letter| !fonts.widths.contains_key(letter));
        if !wanted.is_empty() {
            fonts.database = with_system();
            fonts.measure(&wanted, "")?; // an H would come from the other font as well
        }
        Ok(fonts)
    }

    /// Whether every character of a cleaned text has a glyph.
    pub(super) fn cover(&self, text: &str) -> bool {
        text.chars().all(|letter| self.widths.contains_key(&letter))
    }

    /// The width of a cleaned text at `size` pixels an em, in pixels; kerning, which nearly always
    /// tightens, is not counted.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.widths.get(&letter).unwrap_or(&1.0) * size).sum()
    }

    /// `text`, or as much of its start as fits into `width` pixels with an ellipsis.
    pub(super) fn elide(&self, text: &str, size: f32, width: f32) -> String {
        self.shorten(text, (size, width), 1.0)
    }

    /// `text`, or as much of its start and end as fits into `width` pixels: for file names, whose
    /// end tells them apart.
    pub(super) fn elide_middle(&self, text: &str, size: f32, width: f32) -> String {
        self.shorten(text, (size, width), 0.5)
    }

    /// A path, or its last part, or what of that fits into `width` pixels.
    pub(super) fn elide_path(&self, text: &str, size: f32, width: f32) -> String {
        let last = text.rsplit(['/', '\\']).next().unwrap_or(text);
        let text = if self.width(text, size) <= width { text } else { last };
        self.elide_middle(text, size, width)
    }

    /// Keeps `share` of the room for the start of the text and the rest for its end.
    fn shorten(&self, text: &str, (size, width): (f32, f32), share: f32) -> String {
        if self.width(text, size) <= width {
            return text.to_owned();
        }
        let room = width - self.width("…", size);
        if room < 0.0 {
            return String::new();
        }
        let letters: Vec<char> = text.chars().collect();
        let count = |letters: &mut dyn Iterator<Item = &char>, room: f32| {
            let mut used = 0.0;
            letters
                .take_while(|letter| {
                    used += self.widths.get(letter).unwrap_or(&1.0) * size;
                    used <= room
                })
                .count()
        };
        let mut head = count(&mut letters.iter(), room * share);
        while head > 0 && letters.get(head).is_some_and(|&letter| is_combining_mark(letter)) {
            head -= 1; // a letter does not lose its accents
        }
        let head: String = letters[..head].iter().collect();
        let left = room - self.width(head.trim_end(), size);
        let tail = if share < 1.0 { count(&mut letters.iter().rev(), left) } else { 0 };
        let tail: String = letters[letters.len() - tail..].iter().collect();
        format!("{}…{}", head.trim_end(), tail.trim_start_matches(is_combining_mark))
    }

    /// A text that can be drawn: what has no glyph is spelled as `U+732B`.
    pub(super) fn spell(&self, text: &str) -> String {
        let mut out = String::new();
        for letter in text.chars() {
            if self.cover(letter.encode_utf8(&mut [0; 4])) {
                out.push(letter);
            } else {
                // To a String: cannot fail.
                let _ = write!(out, " U+{:04X} ", u32::from(letter));
            }
        }
        clean(&out)
    }

    /// Parses an SVG with these fonts.
    ///
    /// # Errors
    /// If it is not a valid SVG: a bug in this crate.
    pub(super) fn parse(&self, svg: &str) -> Result<Tree> {
        // A font that helped once is tried again before all others are searched.
        let helped: Mutex<Vec<ID>> = Mutex::new(Vec::new());
        let search = FontResolver::default_fallback_selector();
        let select_fallback = Box::new(|letter, used: &[ID], database: &mut Arc<Database>| {
            let mut helped = helped.lock().ok()?;
            if let Some(id) = helped.iter().find(|id| !used.contains(id)) {
                return Some(*id);
            }
            let id = search(letter, used, database)?;
            helped.push(id);
            Some(id)
        });
        let options = Options {
            font_family: FAMILY.to_owned(),
            fontdb: Arc::clone(&self.database),
            font_resolver: FontResolver { select_fallback, ..FontResolver::default() },
            ..Options::default()
        };
        Tree::from_str(svg, &options)
            .map_err(|cause| Error::failed("cannot draw a picture").cause(cause))
    }

    /// Measures each character by setting it between two `edge`s, so that spaces and accents have
    /// a width too, all in one invisible picture.
    fn measure(&mut self, letters: &BTreeSet<char>, edge: &str) -> Result<()> {
        let mut svg = String::from(r#"<svg xmlns="http://www.w3.org/2000/svg">"#);
        let sample = |id: u32, inner: &str| {
            let inner = escape(inner);
            format!(
                r#"<text id="c{id}" font-size="100" font-kerning="none">{edge}{inner}{edge}</text>"#
            )
        };
        svg += &sample(0, "");
        for &letter in letters {
            svg += &sample(u32::from(letter), letter.encode_utf8(&mut [0; 4]));
        }
        let tree = self.parse(&(svg + "</svg>"))?;
        let mut texts = Vec::new();
        collect(tree.root(), &mut texts);
        let bare = texts.iter().find(|text| text.id() == "c0");
        let bare = bare.map_or(0.0, |text| text.bounding_box().width());
        for text in texts {
            let code = text.id().strip_prefix('c').and_then(|code| code.parse().ok());
            let Some(letter) = code.and_then(char::from_u32) else { continue };
            let mut glyphs = text.layouted().iter().flat_map(|span| &span.positioned_glyphs);
            if glyphs.all(|glyph| glyph.id.0 != 0) {
                let width = (text.bounding_box().width() - bare).max(0.0) / 100.0;
                self.widths.insert(letter, width);
            }
        }
        Ok(())
    }
}

fn embedded() -> Arc<Database> {
    static LOADED: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut database = Database::new();
        database.load_font_source(Source::Binary(Arc::new(EMBEDDED)));
        Arc::new(database)
    };
    Arc::clone(LOADED.get_or_init(load))
}

fn with_system() -> Arc<Database> {
    static LOADED: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut database = embedded().as_ref().clone();
        database.load_system_fonts();
        Arc::new(database)
    };
    Arc::clone(LOADED.get_or_init(load))
}

fn collect<'a>(group: &'a Group, texts: &mut Vec<&'a Text>) {
    for node in group.children() {
        match node {
            Node::Group(inner) => collect(inner, texts),
            Node::Text(text) => texts.push(text),
            _ => {}
        }
    }
}

/// A name as it is drawn: in NFC, on one line, without characters that control or hide.
pub(super) fn clean(text: &str) -> String {
    let mut text = text.to_owned();
    let count = text.chars().count();
    if count > LONGEST {
        let start: String = text.chars().take(LONGEST / 2).collect();
        let end: String = text.chars().skip(count - LONGEST / 2).collect();
        text = format!("{start}…{end}");
    }
    let hidden = |letter: &char| {
        matches!(*letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
    };
    let spaced: String = text
        .nfc()
        .filter(|letter| !hidden(letter))
        .map(|letter| if letter.is_control() || letter.is_whitespace() { ' ' } else { letter })
        .collect();
    spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `text` for the inside of an XML element or attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            _ => out.push(letter),
        }
    }
    out
}

/// The classes as they are written in one picture, and what must be explained beside it.
pub(super) struct Names {
    labels: Vec<String>,
    /// Class and spelling of those that no font can write.
    spelled: HashMap<usize, String>,
}

impl Names {
    /// Labels for `classes`: the name, or `#17` where there is no font for it or nothing to see.
    pub(super) fn new(classes: &[String], fonts: &Fonts) -> Self {
        let mut names = Self { labels: Vec::new(), spelled: HashMap::new() };
        for (class, name) in classes.iter().enumerate() {
            let name = clean(name);
            if fonts.cover(&name) && !name.is_empty() {
                names.labels.push(name);
            } else {
                names.labels.push(format!("#{class}"));
                if !name.is_empty() {
                    names.spelled.insert(class, fonts.spell(&name));
                }
            }
        }
        names
    }

    /// The label of a class; a class without a name has its number.
    pub(super) fn label(&self, class: usize) -> String {
        self.labels.get(class).cloned().unwrap_or_else(|| format!("#{class}"))
    }

    /// One line for each of the `shown` classes that has its number for a label: `#17 = U+732B`.
    pub(super) fn legend(&self, shown: impl IntoIterator<Item = usize>) -> Vec<String> {
        let shown: BTreeSet<usize> = shown.into_iter().collect();
        let line = |class| Some(format!("#{class} = {}", self.spelled.get(class)?));
        shown.iter().filter_map(line).collect()
    }
}
