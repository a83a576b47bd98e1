//! A few threads that wait for work awake.
//!
//! A training step is some fifty operations of a fraction of a millisecond each. Waking a sleeping
//! thread costs as much as a third of one, so between operations helpers look for the next one for
//! half a millisecond before they sleep.
//!
//! Each thread has a part of the items to itself, the same part of every job, and helps with those of
//! others when its own are done. So what a thread wrote for some images it finds in its own caches
//! when the next operation asks for them: from core to core they would take far longer.

use std::cell::{RefCell, UnsafeCell};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// How often a helper looks before it sleeps: about half a millisecond.
const LOOKS: u32 = 1 << 15;
/// The job is open: helpers may join.
const OPEN: u64 = 1 << 63;
/// One more job, above the count of those who work on it.
const JOB: u64 = 1 << 32;

/// What threads do now.
#[derive(Clone)]
enum Team {
    /// This thread may ask these helpers.
    Leader(Arc<State>),
    /// What this thread is asked to do it does alone, as a helper does.
    Alone,
}

thread_local! {
    static TEAM: RefCell<Option<Team>> = const { RefCell::new(None) };
}

/// Threads for `for_each`: the one that calls it, and helpers.
#[derive(Debug)]
pub struct ThreadPool {
    state: Arc<State>,
    helpers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    /// [`OPEN`], the number of the job, and how many helpers work on it.
    job: Padded<AtomicU64>,
    /// The items that nobody has taken, a part for each thread: the leader's, then the helpers'.
    parts: Vec<Padded<Part>>,
    /// The job itself: written while nobody works, read by those who joined.
    work: UnsafeCell<Option<Job>>,
    /// Whether some thread leads.
    leading: AtomicBool,
    panicked: AtomicBool,
    stop: AtomicBool,
    /// Whether each helper sleeps, and whom to wake.
    sleeping: Vec<AtomicBool>,
    threads: std::sync::OnceLock<Vec<std::thread::Thread>>,
    looks: u32,
}

/// Something on cache lines of its own (of which CPUs fetch two at a time).
#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(T);

/// A range of items from which threads take the first or the last: its start and its end.
#[derive(Debug)]
struct Part(AtomicU64);

impl Part {
    fn set(&self, range: &Range<usize>) {
        self.0.store((range.start as u64) << 32 | range.end as u64, Ordering::Relaxed);
    }

    /// Takes the first item, or the last.
    fn take(&self, first: bool) -> Option<usize> {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let (start, end) = (now >> 32, now & u64::from(u32::MAX));
            if start >= end {
                return None;
            }
            let next = if first { now + (1 << 32) } else { now - 1 };
            match self.0.compare_exchange_weak(now, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(if first { start } else { end - 1 } as usize),
                Err(other) => now = other,
            }
        }
    }
}

/// The order in which a thread takes the items of its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The first first.
    Forwards,
    /// The last first.
    Backwards,
}

impl Direction {
    fn all(self, items: usize, work: &(dyn Fn(usize) + Sync)) {
        match self {
            Self::Forwards => (0..items).for_each(work),
            Self::Backwards => (0..items).rev().for_each(work),
        }
    }
}

/// A pointer to a job whose owner waits until nobody uses it any more.
#[derive(Clone, Copy, Debug)]
struct Job {
    direction: Direction,
    run: *const (dyn Fn(usize) + Sync),
}

// SAFETY: `work` is written by the leader while no helper has joined, and read by helpers between
// joining and leaving; `job` orders the two (see `State::lead` and `State::help`). What the pointer
// leads to is `Sync`, and lives until the leader has seen all helpers leave.
unsafe impl Sync for State {}
// SAFETY: as for `Sync`.
unsafe impl Send for State {}

impl ThreadPool {
    /// A pool of `threads`, of which the one that calls [`ThreadPool::install`] is the first.
    ///
    /// # Errors
    /// If the operating system does not grant the threads.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let helpers = threads.max(1) - 1;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let state = Arc::new(State {
            job: Padded(AtomicU64::new(0)),
            parts: (0..=helpers).map(|_| Padded(Part(AtomicU64::new(0)))).collect(),
            work: UnsafeCell::new(None),
            leading: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleeping: (0..helpers).map(|_| AtomicBool::new(false)).collect(),
            threads: std::sync::OnceLock::new(),
            // Who looks takes a core from who works, where there are too few.
            looks: if threads <= cores { LOOKS } else { 1 },
        });
        let mut pool = Self { state: Arc::clone(&state), helpers: Vec::new() };
        for number in 0..helpers {
            let state = Arc::clone(&state);
            let helper = std::thread::Builder::new()
                .name(format!("kernel-{}", number + 1))
                .spawn(move || state.help(number))?;
            pool.helpers.push(helper);
        }
        let threads = pool.helpers.iter().map(|helper| helper.thread().clone()).collect();
        let _ = state.threads.set(threads); // set once, here
        Ok(pool)
    }

    /// Runs `work`; every `for_each` that this thread calls in it uses the pool.
    pub fn install<T>(&self, work: impl FnOnce() -> T) -> T {
        let _restore = Restore(TEAM.replace(Some(Team::Leader(Arc::clone(&self.state)))));
        work()
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            let _ = helper.join(); // panics of work are caught and handed to the leader
        }
    }
}

struct Restore(Option<Team>);

impl Drop for Restore {
    fn drop(&mut self) {
        TEAM.set(self.0.take());
    }
}

/// Runs `work`; every `for_each` that this thread calls in it uses this thread only. For work that is
/// so short that handing parts of it, and what they wrote, from core to core takes longer.
pub fn alone<T>(work: impl FnOnce() -> T) -> T {
    let _restore = Restore(TEAM.replace(Some(Team::Alone)));
    work()
}

/// Runs all items on this thread's pool; `false` where it has none.
pub(super) fn run(items: usize, direction: Direction, work: &(dyn Fn(usize) + Sync)) -> bool {
    match TEAM.with_borrow(Clone::clone) {
        None => return false,
        Some(Team::Alone) => direction.all(items, work),
        Some(Team::Leader(state)) => state.lead(items, direction, work),
    }
    true
}

impl State {
    fn lead(&self, items: usize, direction: Direction, work: &(dyn Fn(usize) + Sync)) {
        let countable = u32::try_from(items).is_ok();
        // Where a job asks for a job, or another thread leads, the helpers are busy.
        if self.sleeping.is_empty() || !countable || self.leading.swap(true, Ordering::Acquire) {
            return direction.all(items, work);
        }
        // SAFETY: only the lifetime changes; below, this thread waits until no helper uses it.
        let run = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work)
        };
        // SAFETY: this thread leads alone; the last job is closed and all its helpers have left.
        unsafe { *self.work.get() = Some(Job { direction, run }) };
        for (thread, Padded(part)) in self.parts.iter().enumerate() {
            part.set(&super::part(items, self.parts.len(), thread));
        }
        let number = self.job.0.load(Ordering::Relaxed).wrapping_add(JOB) & !OPEN;
        self.job.0.store(number | OPEN, Ordering::SeqCst);
        for (sleeping, thread) in self.sleeping.iter().zip(self.threads.get().into_iter().flatten())
        {
            if sleeping.swap(false, Ordering::SeqCst) {
                thread.unpark();
            }
        }
        let result = catch_unwind(AssertUnwindSafe(|| self.take_items(0, direction, work)));
        // No helper joins from here on; those who did will leave.
        self.job.0.fetch_and(!OPEN, Ordering::SeqCst);
        while self.job.0.load(Ordering::Acquire) & (JOB - 1) != 0 {
            std::hint::spin_loop();
        }
        let panicked = self.panicked.swap(false, Ordering::Relaxed);
        self.leading.store(false, Ordering::Release);
        if let Err(panic) = result {
            resume_unwind(panic);
        }
        assert!(!panicked, "a compute thread panicked");
    }

    /// Does the items of this thread's part, then what others have left of theirs, from the end
    /// that they do last.
    fn take_items(&self, thread: usize, direction: Direction, work: &(dyn Fn(usize) + Sync)) {
        let threads = self.parts.len();
        let mut first = direction == Direction::Forwards;
        for next in 0..threads {
            let Padded(part) = &self.parts[(thread + next) % threads];
            while let Some(item) = part.take(first) {
                work(item);
            }
            if next == 0 {
                first = !first;
            }
        }
    }

    fn help(&self, number: usize) {
        TEAM.set(Some(Team::Alone));
        let (mut done, mut looks) = (0, 0);
        while !self.stop.load(Ordering::Relaxed) {
            let job = self.job.0.load(Ordering::Acquire);
            if job & OPEN != 0 && job / JOB != done {
                if self
                    .job
                    .0
                    .compare_exchange(job, job + 1, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
                {
                    done = job / JOB;
                    self.join(number + 1);
                    looks = 0;
                }
                continue;
            }
            looks += 1;
            if looks < self.looks {
                std::hint::spin_loop();
                continue;
            }
            looks = 0;
            self.sleeping[number].store(true, Ordering::SeqCst);
            // A job that was opened before the leader could see the flag is not slept through.
            let job = self.job.0.load(Ordering::SeqCst);
            let waits = job & OPEN == 0 || job / JOB == done;
            if waits && !self.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            self.sleeping[number].store(false, Ordering::SeqCst);
        }
    }

    /// Works on the job that this helper has joined, and leaves it.
    fn join(&self, thread: usize) {
        // SAFETY: the leader wrote the job before it opened it, and neither writes another nor lets
        // go of this one before this helper has left.
        let work = unsafe { *self.work.get() };
        if let Some(Job { direction, run }) = work {
            // SAFETY: as above.
            let run = unsafe { &*run };
            if catch_unwind(AssertUnwindSafe(|| self.take_items(thread, direction, run))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
        }
        self.job.0.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::super::{for_each, for_each_backwards};
    use super::*;

    #[test]
    fn every_item_is_done_once() {
        for threads in [1, 2, 7] {
            let pool = ThreadPool::new(threads).unwrap();
            for items in [0, 1, 2, 3, 100] {
                for _ in 0..200 {
                    let done: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                    pool.install(|| {
                        let work = |i: usize| {
                            done[i].fetch_add(1, Ordering::Relaxed);
                        };
                        for_each(items, work);
                        for_each_backwards(items, work);
                        alone(|| for_each(items, work));
                    });
                    assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 3));
                }
            }
        }
    }

    #[test]
    fn helpers_wake_from_sleep_and_items_may_ask_for_more() {
        let pool = ThreadPool::new(3).unwrap();
        for _ in 0..5 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            let count = AtomicUsize::new(0);
            pool.install(|| {
                for_each(10, |_| {
                    for_each(10, |_| {
                        count.fetch_add(1, Ordering::Relaxed);
                    });
                });
            });
            assert_eq!(count.load(Ordering::Relaxed), 100);
        }
    }

    #[test]
    fn a_panic_reaches_the_leader_and_the_pool_goes_on() {
        let pool = ThreadPool::new(3).unwrap();
        for bad in [0, 50, 99] {
            let run = || pool.install(|| for_each(100, |i| assert_ne!(i, bad)));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            pool.install(|| for_each(100, |_| ()));
        }
    }
}
