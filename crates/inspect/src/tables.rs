//! Which macOS brought which function: Apple's headers say it (`API_AVAILABLE`), and somebody looked it up for each name
//! here. A name that comes later belongs here only after that.

/// A macOS, major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// Functions and objects of libxpc, libdispatch, ServiceManagement, notify and os, as the linker names them.
pub const SERVICE_SYMBOLS: &[(&str, Version)] = &[
    // xpc/connection.h, xpc/xpc.h
    ("_xpc_connection_activate", Version(10, 12)),
    ("_xpc_connection_cancel", Version(10, 7)),
    ("_xpc_connection_copy_invalidation_reason", Version(12, 0)),
    ("_xpc_connection_create_mach_service", Version(10, 7)),
    ("_xpc_connection_get_asid", Version(10, 7)),
    ("_xpc_connection_get_euid", Version(10, 7)),
    ("_xpc_connection_send_barrier", Version(10, 7)),
    ("_xpc_connection_send_message", Version(10, 7)),
    ("_xpc_connection_send_message_with_reply", Version(10, 7)),
    ("_xpc_connection_set_event_handler", Version(10, 7)),
    ("_xpc_connection_set_peer_code_signing_requirement", Version(12, 0)),
    ("_xpc_connection_set_peer_entitlement_exists_requirement", Version(14, 4)),
    ("_xpc_connection_set_peer_lightweight_code_requirement", Version(14, 4)),
    ("_xpc_connection_set_peer_requirement", Version(26, 0)),
    ("_xpc_connection_set_peer_team_identity_requirement", Version(14, 4)),
    ("_xpc_connection_set_target_queue", Version(10, 7)),
    ("_xpc_dictionary_create_empty", Version(11, 0)),
    ("_xpc_dictionary_create_reply", Version(10, 7)),
    ("_xpc_dictionary_get_count", Version(10, 7)),
    ("_xpc_dictionary_get_data", Version(10, 7)),
    ("_xpc_dictionary_get_uint64", Version(10, 7)),
    ("_xpc_dictionary_set_data", Version(10, 7)),
    ("_xpc_dictionary_set_uint64", Version(10, 7)),
    ("_xpc_get_type", Version(10, 7)),
    ("_xpc_listener_create", Version(14, 0)),
    ("_xpc_release", Version(10, 7)),
    ("_xpc_retain", Version(10, 7)),
    ("_xpc_session_create_mach_service", Version(13, 0)),
    ("__xpc_error_connection_interrupted", Version(10, 7)),
    ("__xpc_error_connection_invalid", Version(10, 7)),
    ("__xpc_error_peer_code_signing_requirement", Version(12, 0)),
    ("__xpc_error_termination_imminent", Version(10, 7)),
    ("__xpc_type_connection", Version(10, 7)),
    ("__xpc_type_dictionary", Version(10, 7)),
    ("__xpc_type_error", Version(10, 7)),
    // dispatch/*.h
    ("__dispatch_main_q", Version(10, 6)),
    ("_dispatch_after_f", Version(10, 6)),
    ("_dispatch_async_f", Version(10, 6)),
    ("_dispatch_get_global_queue", Version(10, 6)),
    ("_dispatch_main", Version(10, 6)),
    ("_dispatch_queue_create", Version(10, 6)),
    ("_dispatch_release", Version(10, 6)),
    ("_dispatch_retain", Version(10, 6)),
    ("_dispatch_semaphore_create", Version(10, 6)),
    ("_dispatch_semaphore_signal", Version(10, 6)),
    ("_dispatch_semaphore_wait", Version(10, 6)),
    ("_dispatch_set_target_queue", Version(10, 6)),
    ("_dispatch_sync_f", Version(10, 6)),
    ("_dispatch_time", Version(10, 6)),
    // notify.h
    ("_notify_cancel", Version(10, 3)),
    ("_notify_check", Version(10, 3)),
    ("_notify_get_state", Version(10, 5)),
    ("_notify_register_check", Version(10, 3)),
    // os/*.h
    ("_os_sync_wait_on_address", Version(14, 4)),
    ("_os_sync_wait_on_address_with_timeout", Version(14, 4)),
    ("_os_sync_wake_by_address_all", Version(14, 4)),
    ("_os_sync_wake_by_address_any", Version(14, 4)),
    ("_os_unfair_lock_lock", Version(10, 12)),
    ("_os_unfair_lock_trylock", Version(10, 12)),
    ("_os_unfair_lock_unlock", Version(10, 12)),
];

/// What the helper takes from libSystem besides [`SERVICE_SYMBOLS`]: POSIX, BSD, dyld, and the compiler's runtime.
#[rustfmt::skip]
pub const HELPER_IMPORTS: &[&str] = &[
    "__NSConcreteStackBlock", "__NSGetArgc", "__NSGetArgv", "__NSGetEnviron", "__Unwind_Backtrace",
    "__Unwind_GetDataRelBase", "__Unwind_GetIP", "__Unwind_GetIPInfo", "__Unwind_GetLanguageSpecificData",
    "__Unwind_GetRegionStart", "__Unwind_GetTextRelBase", "__Unwind_Resume", "__Unwind_SetGR", "__Unwind_SetIP",
    "___error", "___udivti3", "__dyld_get_image_header", "__dyld_get_image_name", "__dyld_get_image_vmaddr_slide",
    "__dyld_image_count", "__exit", "__tlv_atexit", "__tlv_bootstrap", "_abort", "_bzero", "_calloc", "_chdir",
    "_chroot", "_clock_gettime", "_close", "_closedir", "_dirfd", "_dlsym", "_dup", "_dup2", "_execvp", "_fcntl",
    "_fork", "_free", "_fstat", "_getcwd", "_getenv", "_geteuid", "_getppid", "_getrlimit", "_ioctl", "_kill",
    "_lstat", "_malloc", "_memcmp", "_memcpy", "_memmove", "_memset", "_mmap", "_mprotect", "_munmap", "_open",
    "_opendir", "_pause", "_pipe", "_poll", "_posix_memalign", "_posix_spawn_file_actions_adddup2",
    "_posix_spawn_file_actions_destroy", "_posix_spawn_file_actions_init", "_posix_spawnattr_destroy",
    "_posix_spawnattr_init", "_posix_spawnattr_setflags", "_posix_spawnattr_setpgroup",
    "_posix_spawnattr_setsigdefault", "_posix_spawnp", "_pthread_get_stackaddr_np", "_pthread_get_stacksize_np",
    "_pthread_mutex_destroy", "_pthread_mutex_init", "_pthread_mutex_lock", "_pthread_mutex_trylock",
    "_pthread_mutex_unlock", "_pthread_mutexattr_destroy", "_pthread_mutexattr_init", "_pthread_mutexattr_settype",
    "_pthread_self", "_pthread_setname_np", "_pthread_threadid_np", "_read", "_readdir_r", "_realloc",
    "_sched_yield", "_setgid", "_setgroups", "_setpgid", "_setrlimit", "_setsid", "_setuid", "_sigaction",
    "_sigaddset", "_sigaltstack", "_sigemptyset", "_signal", "_sigprocmask", "_strerror_r", "_strlen", "_sysconf",
    "_syslog$DARWIN_EXTSN", "_umask", "_unsetenv", "_waitpid", "_write", "_writev", "dyld_stub_binder",
];

/// The macOS that has all of [`HELPER_IMPORTS`]: `clock_gettime` is the youngest of them.
pub const HELPER_IMPORTS_SINCE: Version = Version(10, 12);

/// The macOS that brought a function or object of a system service; `None` when nobody looked it up.
#[must_use]
pub fn service_symbol(name: &str) -> Option<Version> {
    SERVICE_SYMBOLS.iter().find(|(found, _)| *found == name).map(|(_, since)| *since)
}

/// The macOS that brought something that the helper imports; `None` when nobody looked it up.
#[must_use]
pub fn helper_import(name: &str) -> Option<Version> {
    service_symbol(name).or_else(|| HELPER_IMPORTS.contains(&name).then_some(HELPER_IMPORTS_SINCE))
}
