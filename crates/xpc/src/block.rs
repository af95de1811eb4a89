//! A Rust closure as one of Apple's blocks, for calls that copy their block.
//!
//! The layout is that of clang's "Block Implementation Specification" (`Block_layout` with copy and dispose helpers), which
//! is fixed ABI. Checked without a Mac: sizes and offsets, by the assertions below. Not checked: that libxpc copies and
//! disposes of it as the specification says.

#![allow(unsafe_code, reason = "a block is a C structure whose lifetime the system manages")]

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ffi::{_NSConcreteStackBlock, Object};

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

fn lend(closure: Box<Closure>, invoke: *const c_void, call: impl FnOnce(*const c_void)) {
    let closure = Arc::new(closure);
    let block = Block {
        isa: (&raw const _NSConcreteStackBlock).cast(),
        flags: HAS_COPY_DISPOSE,
        reserved: 0,
        invoke,
        descriptor: &DESCRIPTOR,
        closure: Arc::as_ptr(&closure),
    };
    // copies have counts of their own; ours goes with `closure`
    call((&raw const block).cast());
}
