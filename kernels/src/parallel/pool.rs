//! A few threads that wait for work awake.
//!
//! A training step is some fifty operations of a fraction of a millisecond each. Waking a sleeping
//! thread costs as much as a third of one, so between operations helpers look for the next one for
//! half a millisecond before they sleep.

use std::cell::{RefCell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
    /// This thread helps: what it is asked to do it does alone.
    Helper,
}

thread_local! {
    static TEAM: RefCell<Option<Team>> = const { RefCell::new(None) };
}

/// Threads for `for_each`: the one that calls it, and helpers.
#[derive(Debug)]
pub struct Pool {
    state: Arc<State>,
    helpers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    /// [`OPEN`], the number of the job, and how many helpers work on it.
    job: AtomicU64,
    /// The next item that nobody has taken.
    next: AtomicUsize,
    /// The job itself: written while nobody works, read by those who joined.
    work: UnsafeCell<Option<Work>>,
    /// Whether some thread leads.
    leading: AtomicBool,
    panicked: AtomicBool,
    stop: AtomicBool,
    /// Whether each helper sleeps, and whom to wake.
    sleeping: Vec<AtomicBool>,
    threads: std::sync::OnceLock<Vec<std::thread::Thread>>,
    looks: u32,
}

/// A pointer to a job whose owner waits until nobody uses it any more.
#[derive(Clone, Copy, Debug)]
struct Work {
    items: usize,
    run: *const (dyn Fn(usize) + Sync),
}

// SAFETY: `work` is written by the leader while no helper has joined, and read by helpers between
// joining and leaving; `job` orders the two (see `State::lead` and `State::help`). What the pointer
// leads to is `Sync`, and lives until the leader has seen all helpers leave.
unsafe impl Sync for State {}
// SAFETY: as for `Sync`.
unsafe impl Send for State {}

impl Pool {
    /// A pool of `threads`, of which the one that calls [`Pool::install`] is the first.
    ///
    /// # Errors
    /// If the operating system does not grant the threads.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let helpers = threads.max(1) - 1;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let state = Arc::new(State {
            job: AtomicU64::new(0),
            next: AtomicUsize::new(0),
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
        struct Restore(Option<Team>);
        impl Drop for Restore {
            fn drop(&mut self) {
                TEAM.set(self.0.take());
            }
        }
        let _restore = Restore(TEAM.replace(Some(Team::Leader(Arc::clone(&self.state)))));
        work()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            let _ = helper.join(); // panics of work are caught and handed to the leader
        }
    }
}

/// Runs all items on this thread's pool; `false` where it has none.
pub(super) fn run(items: usize, work: &(dyn Fn(usize) + Sync)) -> bool {
    match TEAM.with_borrow(Clone::clone) {
        None => return false,
        Some(Team::Helper) => (0..items).for_each(work),
        Some(Team::Leader(state)) => state.lead(items, work),
    }
    true
}

impl State {
    fn lead(&self, items: usize, work: &(dyn Fn(usize) + Sync)) {
        // Where a job asks for a job, or another thread leads, the helpers are busy.
        if self.sleeping.is_empty() || self.leading.swap(true, Ordering::Acquire) {
            return (0..items).for_each(work);
        }
        // SAFETY: only the lifetime changes; below, this thread waits until no helper uses it.
        let run = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work)
        };
        // SAFETY: this thread leads alone; the last job is closed and all its helpers have left.
        unsafe { *self.work.get() = Some(Work { items, run }) };
        self.next.store(0, Ordering::Relaxed);
        let number = self.job.load(Ordering::Relaxed).wrapping_add(JOB) & !OPEN;
        self.job.store(number | OPEN, Ordering::SeqCst);
        for (sleeping, thread) in self.sleeping.iter().zip(self.threads.get().into_iter().flatten())
        {
            if sleeping.swap(false, Ordering::SeqCst) {
                thread.unpark();
            }
        }
        let result = catch_unwind(AssertUnwindSafe(|| self.take_items(items, work)));
        // No helper joins from here on; those who did will leave.
        self.job.fetch_and(!OPEN, Ordering::SeqCst);
        while self.job.load(Ordering::Acquire) & (JOB - 1) != 0 {
            std::hint::spin_loop();
        }
        let panicked = self.panicked.swap(false, Ordering::Relaxed);
        self.leading.store(false, Ordering::Release);
        if let Err(panic) = result {
            resume_unwind(panic);
        }
        assert!(!panicked, "a compute thread panicked");
    }

    fn take_items(&self, items: usize, work: &(dyn Fn(usize) + Sync)) {
        loop {
            let item = self.next.fetch_add(1, Ordering::Relaxed);
            if item >= items {
                return;
            }
            work(item);
        }
    }

    fn help(&self, number: usize) {
        TEAM.set(Some(Team::Helper));
        let (mut done, mut looks) = (0, 0);
        while !self.stop.load(Ordering::Relaxed) {
            let job = self.job.load(Ordering::Acquire);
            if job & OPEN != 0 && job / JOB != done {
                if self
                    .job
                    .compare_exchange(job, job + 1, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
                {
                    done = job / JOB;
                    self.join();
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
            let job = self.job.load(Ordering::SeqCst);
            let waits = job & OPEN == 0 || job / JOB == done;
            if waits && !self.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            self.sleeping[number].store(false, Ordering::SeqCst);
        }
    }

    /// Works on the job that this helper has joined, and leaves it.
    fn join(&self) {
        // SAFETY: the leader wrote the job before it opened it, and neither writes another nor lets
        // go of this one before this helper has left.
        let work = unsafe { *self.work.get() };
        if let Some(Work { items, run }) = work {
            // SAFETY: as above.
            let run = unsafe { &*run };
            if catch_unwind(AssertUnwindSafe(|| self.take_items(items, run))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
        }
        self.job.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::super::for_each;
    use super::*;

    #[test]
    fn every_item_is_done_once() {
        for threads in [1, 2, 7] {
            let pool = Pool::new(threads).unwrap();
            for items in [0, 1, 2, 3, 100] {
                for _ in 0..200 {
                    let done: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                    pool.install(|| {
                        for_each(items, |i| {
                            done[i].fetch_add(1, Ordering::Relaxed);
                        });
                    });
                    assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                }
            }
        }
    }

    #[test]
    fn helpers_wake_from_sleep_and_items_may_ask_for_more() {
        let pool = Pool::new(3).unwrap();
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
        let pool = Pool::new(3).unwrap();
        for bad in [0, 50, 99] {
            let run = || pool.install(|| for_each(100, |i| assert_ne!(i, bad)));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            pool.install(|| for_each(100, |_| ()));
        }
    }
}
