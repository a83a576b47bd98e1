//! What the three models expect, weighed into one probability, and what they learn.
//!
//! A probability `p` is mixed as its logit, `ln(p / (1 - p))`, in 1/256.

use super::arithmetic::Coder;

const MODELS: usize = 3;
/// Contexts of a model and decisions of a pixel.
const CONTEXTS: usize = 4096;
const DECISIONS: usize = 256;
/// Sets of weights: one for each amount of unrest and each decision.
const SETS: usize = 9;
/// The largest logit.
const LIMIT: i32 = 2047;

/// `65,536 / (1 + exp(-x))` for x from -8 to 8 in steps of 1/2.
const LOGISTIC: [i32; 33] = [
    22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743, 32768,
    40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438,
    65476, 65500, 65514,
];

/// How far a probability moves towards what came, in 1/256, by how often it moved before.
const STEP: [i32; 16] = [120, 85, 64, 52, 43, 37, 32, 28, 25, 22, 20, 18, 16, 14, 12, 8];
/// How far the weights move.
const LEARNING_RATE: i32 = 6;

/// The state of all models.
pub(super) struct Mixer {
    /// `[MODELS, CONTEXTS, DECISIONS]`: probability in the upper 12 bits, how often it moved in the lower 4.
    models: Vec<u16>,
    /// `[SETS, DECISIONS, MODELS]`, in 1/65,536.
    weights: Vec<[i32; MODELS]>,
    /// The logit of each probability of 12 bits.
    logits: Vec<i16>,
    /// Where the decisions of this pixel start: in the models, and in the weights.
    rows: [usize; MODELS],
    set: usize,
}

impl Mixer {
    pub(super) fn new() -> Self {
        let mut logits = vec![LIMIT as i16; 4096];
        let mut from = 0;
        for logit in -LIMIT..=LIMIT {
            let to = (probability(logit) >> 4) as usize + 1;
            logits[from..to.max(from)].fill(logit as i16);
            from = from.max(to);
        }
        Self {
            models: vec![1 << 15; MODELS * CONTEXTS * DECISIONS],
            weights: vec![[28_000; MODELS]; SETS * DECISIONS],
            logits,
            rows: [0; MODELS],
            set: 0,
        }
    }

    /// Goes to the next pixel: its context in each model, and its set of weights.
    pub(super) fn at(&mut self, contexts: [u32; MODELS], set: u32) {
        for (model, (row, context)) in self.rows.iter_mut().zip(contexts).enumerate() {
            *row = (model * CONTEXTS + context as usize % CONTEXTS) * DECISIONS;
        }
        self.set = set as usize * DECISIONS;
    }

    /// Codes one decision of the pixel and learns from it.
    pub(super) fn code(&mut self, decision: u32, bit: u32, coder: &mut impl Coder) -> u32 {
        let places = self.rows.map(|row| row + decision as usize);
        let logits =
            places.map(|place| i32::from(self.logits[usize::from(self.models[place] >> 4)]));
        let weights = &mut self.weights[self.set + decision as usize];
        let mixed: i32 =
            logits.iter().zip(&*weights).map(|(logit, weight)| (logit * weight) >> 8).sum();
        let one = probability((mixed >> 8).clamp(-LIMIT, LIMIT));
        let bit = coder.code(bit, one as u32);
        let target = (bit * 65_535) as i32;
        let error = ((target - one) >> 4) * LEARNING_RATE;
        for ((weight, logit), place) in weights.iter_mut().zip(logits).zip(places) {
            *weight = (*weight + ((logit * error + (1 << 13)) >> 14)).clamp(-1 << 19, 1 << 19);
            let state = i32::from(self.models[place]);
            let (now, moves) = (state & !15, state & 15);
            let next = (now + (((target - now) * STEP[moves as usize]) >> 8)).clamp(32, 65_503);
            self.models[place] = (next & !15 | (moves + 1).min(15)) as u16;
        }
        bit
    }
}

/// The probability of a logit, in 1/65,536: between two values of the table in a straight line.
fn probability(logit: i32) -> i32 {
    let from = logit + 2048;
    let (place, rest) = ((from >> 7) as usize, from & 127);
    (LOGISTIC[place] * (128 - rest) + LOGISTIC[place + 1] * rest) >> 7
}
