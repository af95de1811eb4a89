//! A Rust closure as one of Apple's blocks, for calls that copy their block.
//!
//! The layout is that of clang's "Block Implementation Specification" (`Block_layout` with copy and dispose helpers), which
//! is fixed ABI. Checked without a Mac: sizes and offsets, and the life of a closure through copies that are made as the
//! specification says. Not checked: that libxpc makes them so.

#![allow(unsafe_code, reason = "a block is a C structure whose lifetime the system manages")]

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::sync::{Arc, Mutex, PoisonError};

/// Any XPC object.
type Object = *mut c_void;

/// `BLOCK_HAS_COPY_DISPOSE`
const HAS_COPY_DISPOSE: c_int = 1 << 25;

type Closure = dyn Fn(Object) + Send + Sync;

#[repr(C)]
struct Block {
    isa: *const c_void,
    flags: c_int,
    reserved: c_int,
    invoke: *const c_void,
    descriptor: &'static Descriptor,
    /// One strong count of an `Arc<Box<Closure>>`.
    closure: *const Box<Closure>,
}

#[repr(C)]
struct Descriptor {
    reserved: usize,
    size: usize,
    copy: unsafe extern "C" fn(*mut Block, *const Block),
    dispose: unsafe extern "C" fn(*const Block),
}

const _: () = assert!(size_of::<Block>() == 40 && offset_of!(Block, invoke) == 16 && offset_of!(Block, closure) == 32);

static DESCRIPTOR: Descriptor = Descriptor { reserved: 0, size: size_of::<Block>(), copy, dispose };

unsafe extern "C" fn copy(_to: *mut Block, from: *const Block) {
    // SAFETY: the system has copied the fields and now owns a second block with the same closure, which counts.
    unsafe { Arc::increment_strong_count((*from).closure) }
}

unsafe extern "C" fn dispose(block: *const Block) {
    // SAFETY: called once for each copy, whose count this was.
    unsafe { Arc::decrement_strong_count((*block).closure) }
}

unsafe extern "C" fn invoke_with_object(block: *const Block, object: Object) {
    // SAFETY: a block that is called is alive, and with it its closure.
    unsafe { (*(*block).closure)(object) }
}

unsafe extern "C" fn invoke_without(block: *const Block) {
    // SAFETY: as above.
    unsafe { (*(*block).closure)(std::ptr::null_mut()) }
}

/// Lends `call` a block of type `void (^)(xpc_object_t)`. It lives on if `call` gives it to something that copies it.
pub fn with_object(closure: impl Fn(Object) + Send + Sync + 'static, call: impl FnOnce(*const c_void)) {
    lend(Box::new(closure), invoke_with_object as *const c_void, call);
}

/// Lends `call` a block of type `void (^)(void)` that does something once.
pub fn once(closure: impl FnOnce() + Send + 'static, call: impl FnOnce(*const c_void)) {
    let closure = Mutex::new(Some(closure));
    let closure = move |_: Object| {
        let taken = closure.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(closure) = taken {
            closure();
        }
    };
    lend(Box::new(closure), invoke_without as *const c_void, call);
}

/// What marks a block that lies on the stack.
#[cfg(target_os = "macos")]
fn on_stack() -> *const c_void {
    (&raw const crate::ffi::_NSConcreteStackBlock).cast()
}
#[cfg(not(target_os = "macos"))]
fn on_stack() -> *const c_void {
    std::ptr::null()
}

fn lend(closure: Box<Closure>, invoke: *const c_void, call: impl FnOnce(*const c_void)) {
    let closure = Arc::new(closure);
    let block = Block {
        isa: on_stack(),
        flags: HAS_COPY_DISPOSE,
        reserved: 0,
        invoke,
        descriptor: &DESCRIPTOR,
        closure: Arc::as_ptr(&closure),
    };
    // copies have counts of their own; ours goes with `closure`
    call((&raw const block).cast());
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// What the system's `Block_copy`, a call and `Block_release` do, by the specification.
    struct Copied(Box<Block>);

    impl Copied {
        fn of(block: *const c_void) -> Self {
            let from = block.cast::<Block>();
            // SAFETY: the block is lent for the length of this call; its fields are copied as they are, and its own helper
            // counts the copy.
            unsafe {
                let mut to = Box::new(std::ptr::read(from));
                ((*from).descriptor.copy)(&raw mut *to, from);
                Self(to)
            }
        }

        fn call(&self, object: Option<Object>) {
            let block = &raw const *self.0;
            // SAFETY: the function has the type that belongs to the kind of block.
            unsafe {
                match object {
                    Some(object) => std::mem::transmute::<*const c_void, unsafe extern "C" fn(*const Block, Object)>(
                        self.0.invoke,
                    )(block, object),
                    None => {
                        std::mem::transmute::<*const c_void, unsafe extern "C" fn(*const Block)>(self.0.invoke)(block)
                    }
                }
            }
        }
    }

    impl Drop for Copied {
        fn drop(&mut self) {
            // SAFETY: once for each copy.
            unsafe { (self.0.descriptor.dispose)(&raw const *self.0) }
        }
    }

    #[test]
    fn closure_lives_as_long_as_any_copy_and_no_longer() {
        let seen = Arc::new(AtomicUsize::new(0));
        let mut copies = Vec::new();
        with_object(
            {
                let seen = Arc::clone(&seen);
                move |object| {
                    seen.fetch_add(object.addr(), Ordering::Relaxed);
                }
            },
            |block| copies = vec![Copied::of(block), Copied::of(block)],
        );
        copies[0].call(Some(std::ptr::without_provenance_mut(40)));
        drop(copies.remove(0));
        copies[0].call(Some(std::ptr::without_provenance_mut(2)));
        assert_eq!(seen.load(Ordering::Relaxed), 42);
        assert_eq!(Arc::strong_count(&seen), 2, "the last copy holds it");
        copies.clear();
        assert_eq!(Arc::strong_count(&seen), 1, "nothing is leaked");
    }

    #[test]
    fn block_that_nobody_copies_leaves_nothing_behind() {
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        with_object(move |_| drop(Arc::clone(&inside)), |_| {});
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn barrier_runs_once_however_often_it_is_called() {
        let seen = Arc::new(AtomicUsize::new(0));
        let mut copy = None;
        once(
            {
                let seen = Arc::clone(&seen);
                move || {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            },
            |block| copy = Some(Copied::of(block)),
        );
        let copy = copy.unwrap();
        copy.call(None);
        copy.call(None);
        assert_eq!(seen.load(Ordering::Relaxed), 1);
    }
}
