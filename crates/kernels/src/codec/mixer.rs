//! What two models expect, weighed into one probability, and what they learn.
//!
//! A probability `p` is mixed as its logit, `ln(p / (1 - p))`, in 1/256.

use super::arithmetic::Coder;

/// Decisions of a pixel: whether it is black, then those of the tree of its bits.
const DECISIONS: usize = 256;
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

/// What a model expects of each decision in one context: the probability of a one in the upper 12 bits,
/// how often it moved in the lower 4.
type Expected = [u16; DECISIONS];

/// The state of the models and of what mixes them.
pub(super) struct Mixer {
    models: [Vec<Expected>; 2],
    /// How much each model's logit counts, in 1/65,536.
    weights: Vec<[[i32; 2]; DECISIONS]>,
    /// The logit of each probability of 12 bits.
    logits: Box<[i16; 4096]>,
    /// The probability of each logit, in 1/65,536.
    probabilities: Box<[u16; 4096]>,
}

impl Mixer {
    /// For so many contexts of each model and sets of weights.
    pub(super) fn new(contexts: usize, sets: usize) -> Self {
        let mut probabilities = Box::new([0; 4096]);
        let mut logits = Box::new([LIMIT as i16; 4096]);
        let mut from = 0;
        for logit in -LIMIT..=LIMIT {
            let probability = probability(logit);
            probabilities[(logit + 2048) as usize] = probability as u16;
            let to = (probability >> 4) as usize + 1;
            logits[from..to.max(from)].fill(logit as i16);
            from = from.max(to);
        }
        let model = vec![[1 << 15; DECISIONS]; contexts];
        let weights = vec![[[42_000; 2]; DECISIONS]; sets];
        Self { models: [model.clone(), model], weights, logits, probabilities }
    }

    /// Codes a pixel, given its context in each model and its set of weights, and learns from it.
    #[inline]
    pub(super) fn code(
        &mut self,
        contexts: [usize; 2],
        set: usize,
        pixel: u8,
        coder: &mut impl Coder,
    ) -> u8 {
        let [first, second] = &mut self.models;
        let mut at = Decisions {
            models: [&mut first[contexts[0]], &mut second[contexts[1]]],
            weights: &mut self.weights[set],
            logits: &self.logits,
            probabilities: &self.probabilities,
        };
        if at.code(0, u32::from(pixel == 0), coder) == 1 {
            return 0;
        }
        // A node of the tree: a one, then the bits that are known.
        let mut node = 1;
        for bit in (1..8).rev() {
            node = node << 1 | at.code(node, u32::from(pixel) >> bit & 1, coder) as u8;
        }
        node << 1 | at.code(node, u32::from(pixel) & 1, coder) as u8
    }
}

/// The decisions of one pixel.
struct Decisions<'a> {
    models: [&'a mut Expected; 2],
    weights: &'a mut [[i32; 2]; DECISIONS],
    logits: &'a [i16; 4096],
    probabilities: &'a [u16; 4096],
}

impl Decisions<'_> {
    #[inline(always)]
    fn code(&mut self, decision: u8, bit: u32, coder: &mut impl Coder) -> u32 {
        let decision = usize::from(decision);
        let states = [self.models[0][decision], self.models[1][decision]];
        let logits = states.map(|state| i32::from(self.logits[usize::from(state >> 4)]));
        let weights = &mut self.weights[decision];
        let mixed = (logits[0] * weights[0] + logits[1] * weights[1]) >> 16;
        let one =
            i32::from(self.probabilities[(mixed.clamp(-LIMIT, LIMIT) + 2048) as usize & 4095]);
        let bit = coder.code(bit, one as u32);
        let target = (bit * 65_535) as i32;
        let error = ((target - one) >> 4) * LEARNING_RATE;
        for model in 0..2 {
            weights[model] = (weights[model] + ((logits[model] * error + (1 << 13)) >> 14))
                .clamp(-1 << 18, 1 << 18);
            let state = i32::from(states[model]);
            let (now, moves) = (state & !15, state & 15);
            let next = (now + (((target - now) * STEP[moves as usize]) >> 8)).clamp(32, 65_503);
            self.models[model][decision] = (next & !15 | (moves + 1).min(15)) as u16;
        }
        bit
    }
}

/// The probability of a logit: between two values of the table in a straight line.
fn probability(logit: i32) -> i32 {
    let from = logit + 2048;
    let (place, rest) = ((from >> 7) as usize, from & 127);
    (LOGISTIC[place] * (128 - rest) + LOGISTIC[place + 1] * rest) >> 7
}
