//! What blocks know of the inputs of those after them, within one forward pass.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use burn::backend::autodiff::NodeId;

/// What the outputs of nodes follow from. What is pointed at lives in the graph: its buffers are freed
/// with that. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<Mutex<HashMap<NodeId, Weak<dyn Any + Send + Sync>>>>);

impl Known {
    /// Notes what the output of `node` follows from.
    pub(crate) fn note<T: Any + Send + Sync>(&self, node: NodeId, source: &Arc<T>) {
        let source: Arc<dyn Any + Send + Sync> = Arc::clone(source) as _;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(node, Arc::downgrade(&source));
    }

    /// What the output of `node` follows from, if that is known.
    pub(crate) fn find<T: Any + Send + Sync>(&self, node: NodeId) -> Option<Arc<T>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&node)?.upgrade()?.downcast().ok()
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
    }
}
