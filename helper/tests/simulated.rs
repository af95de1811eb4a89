//! The helper over its pipes, with a shell script in place of powermetrics that behaves well or badly.
//! Looks at processes in /proc, so it runs on Linux alone.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that fails here has failed, and figures are for reading"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{
    Client, assert_no_children, assert_only_child, frame, hello, hostile_frames, is_alive, peak_memory_bytes, start,
    wait_until, write_program,
};
use joulebar_wire::frame::{ReplyDecoder, encode_request};
use joulebar_wire::{ErrorCode, Reply, Request, Sampler, StopReason};
use tempfile::TempDir;

/// No client makes the helper use more.
const MEMORY_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// The helper and its child outlive no client by more.
const AFTERLIFE_LIMIT: Duration = Duration::from_secs(2);

/// `$1` is `powermetrics`, `$2` the mode, `$3` the directory; then come the arguments that powermetrics gets.
const SCRIPT: &str = r#"#!/bin/sh
mode=$2; dir=$3
echo "$@" >> "$dir/arguments"
env > "$dir/environment"
pwd > "$dir/directory"
n=0
document() {
    if [ "$n" -gt 0 ]; then printf '\0'; fi
    n=$((n + 1))
    printf '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n<dict>\n'
    printf '<key>n</key><integer>%s</integer>\n<string>a&b %s</string>\n</dict>\n</plist>\n' "$n" "$1"
}
noise() { echo "Second underflow occured." >&2; }
# comes last in each mode's preparation: whoever reads it knows that signals are handled
ready() { echo $$ > "$dir/pid.new"; mv "$dir/pid.new" "$dir/pid"; }
case $mode in
steady)
    trap 'document boundary' USR1
    ready
    while :; do document usual; noise; sleep 0.1; done ;;
noisy)
    ready
    many=$(yes "Second underflow occured." | head -n 8000)
    while :; do echo "$many" >&2; document usual; sleep 0.1; done ;;
crash)
    ready
    document usual; sleep 0.3; echo "boom" >&2; exit 3 ;;
hang)
    trap '' TERM
    ready
    document usual; while :; do sleep 1; done ;;
endless)
    ready
    printf '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n'
    exec yes '<key>n</key><integer>1</integer>' ;;
flood)
    ready
    text=$(yes 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' | head -n 10000)
    while :; do document "$text"; done ;;
picky)
    ready
    case "$*" in *battery*) echo "powermetrics: unrecognized sampler: battery" >&2; exit 1 ;; esac
    while :; do document usual; sleep 0.1; done ;;
rootless)
    ready
    echo "powermetrics must be invoked as the superuser" >&2; exit 1 ;;
esac
"#;

struct Bench {
    directory: TempDir,
    mode: &'static str,
}

impl Bench {
    fn new(mode: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        write_program(&directory.path().join("simulator"), SCRIPT);
        Self { directory, mode }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_joulebar-helper-simulated"));
        command.args(["stdio", "--simulator"]).arg(self.path("simulator")).arg(self.mode).arg(self.directory.path());
        command
    }

    /// A client that has said hello.
    fn client(&self) -> Client {
        let mut client = Client::start(&mut self.command());
        client.ask(&hello());
        let reply = client.next_control();
        assert!(matches!(reply, Reply::HelloOk { powermetrics: true, simulated: true, .. }), "{reply:?}");
        client
    }

    /// A client with a stream, and the child's process number.
    fn streaming(&self) -> (Client, u32) {
        let mut client = self.client();
        client.ask(&start(7, &[Sampler::CpuPower, Sampler::Thermal]));
        (client, self.child())
    }

    fn child(&self) -> u32 {
        wait_until("the child starts", || self.path("pid").exists());
        fs::read_to_string(self.path("pid")).unwrap().trim().parse().unwrap()
    }
}

fn kill(process: u32, signal: &str) {
    assert!(Command::new("/bin/kill").args([signal, &process.to_string()]).status().unwrap().success());
}

fn assert_small(what: &str, process: u32) {
    let peak = peak_memory_bytes(process).expect("it lives");
    println!("{what}: at most {:.1} MB", peak as f64 / 1e6);
    assert!(peak < MEMORY_LIMIT_BYTES, "{what}: {peak} bytes");
}

#[test]
fn documents_arrive_unchanged_and_in_order() {
    let bench = Bench::new("steady");
    let (mut client, _) = bench.streaming();
    let mut seen = 0;
    let (mut last_offset, mut last_time) = (None, 0);
    while seen < 5 {
        let received = client.next().unwrap();
        let Reply::Sample { id: 7, seq, mono_ns, offset, dropped: 0, .. } = received.reply else { continue };
        seen += 1;
        let expected = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n\
             <key>n</key><integer>{seen}</integer>\n<string>a&b usual</string>\n</dict>\n</plist>"
        );
        assert_eq!(String::from_utf8(received.document.unwrap()).unwrap(), expected);
        assert_eq!(seq, seen - 1);
        assert!(Some(offset) > last_offset && mono_ns > last_time);
        (last_offset, last_time) = (Some(offset), mono_ns);
    }
    client.ask(&Request::Stop { id: 7 });
    assert_eq!(client.next_control(), Reply::Stopped { id: 7, reason: StopReason::Client });
    client.hang_up();
    assert_eq!(client.wait().0.code(), Some(0));
}

#[test]
fn threat_08_child_gets_closed_arguments_an_empty_environment_and_the_root_directory() {
    let bench = Bench::new("steady");
    let mut client =
        Client::start(bench.command().env("LD_LIBRARY_PATH", "/nowhere").env("POWERMETRICS", "/bin/false"));
    client.ask(&hello());
    client.ask(&start(7, &[Sampler::Thermal, Sampler::CpuPower]));
    bench.child();
    let arguments = fs::read_to_string(bench.path("arguments")).unwrap();
    let directory = bench.directory.path().display();
    assert_eq!(
        arguments.trim(),
        format!("powermetrics steady {directory} -f plist -b 0 -i 100 -n 36000 -s cpu_power,thermal")
    );
    let environment = fs::read_to_string(bench.path("environment")).unwrap();
    // the shell adds PWD and the like by itself
    let mut ours: Vec<_> =
        environment.lines().filter(|line| !line.starts_with("PWD=") && !line.starts_with('_')).collect();
    ours.retain(|line| !line.starts_with("OLDPWD=") && !line.starts_with("SHLVL="));
    ours.sort_unstable();
    assert_eq!(ours, ["LC_ALL=C", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"]);
    assert_eq!(fs::read_to_string(bench.path("directory")).unwrap().trim(), "/");
}

#[test]
fn mark_gives_a_boundary_sample() {
    let bench = Bench::new("steady");
    let (mut client, _) = bench.streaming();
    assert!(matches!(client.next_control(), Reply::Started { id: 7, .. }));
    client.ask(&Request::Mark { id: 7, n: 2 });
    let mut marked = None;
    let boundary_ns = loop {
        let received = client.next().unwrap();
        match (received.reply, received.document) {
            (Reply::Marked { id: 7, n: 2, mono_ns }, None) => marked = Some(mono_ns),
            (Reply::Sample { mono_ns, .. }, Some(document)) if document.windows(8).any(|word| word == b"boundary") => {
                break mono_ns;
            }
            _ => {}
        }
    };
    assert!(boundary_ns > marked.expect("the answer comes before the sample"));
}

#[test]
fn threat_09_stderr_without_end_does_not_block_the_child_or_fill_the_helper() {
    let bench = Bench::new("noisy");
    let (client, _) = bench.streaming();
    let samples = std::iter::from_fn(|| client.next()).filter(|received| received.document.is_some());
    assert_eq!(samples.take(20).count(), 20);
    assert_small("200 kB of stderr per sample", client.helper.id());
}

#[test]
fn crashed_child_is_restarted_and_the_gap_is_told() {
    let bench = Bench::new("crash");
    let (client, _) = bench.streaming();
    let mut story = Vec::new();
    while story.len() < 4 {
        story.push(match client.next().unwrap().reply {
            Reply::Started { id: 7, .. } => "started",
            Reply::Sample { seq: 0, offset: 0, .. } => "first",
            Reply::Sample { seq: 1, offset: 0, .. } => "second",
            reply => panic!("{reply:?}"),
        });
    }
    assert_eq!(story, ["started", "first", "started", "second"]);
}

#[test]
fn sampler_that_is_refused_is_dropped() {
    let bench = Bench::new("picky");
    let mut client = bench.client();
    client.ask(&start(7, &[Sampler::CpuPower, Sampler::Battery]));
    let started =
        std::iter::from_fn(|| Some(client.next()?.reply)).take_while(|reply| !matches!(reply, Reply::Sample { .. }));
    let Some(Reply::Started { samplers, .. }) = started.last() else { panic!("not started") };
    assert_eq!(samplers.to_string(), "cpu_power");
}

#[test]
fn powermetrics_that_wants_root_is_an_error_of_permission() {
    let bench = Bench::new("rootless");
    let (client, _) = bench.streaming();
    let mut story = vec![client.next_control()];
    // on a slow machine it is taken for started before it refuses
    story.retain(|reply| !matches!(reply, Reply::Started { .. }));
    while story.len() < 2 {
        story.push(client.next_control());
    }
    assert!(matches!(story[0], Reply::Error { code: ErrorCode::Permission, id: Some(7), .. }), "{story:?}");
    assert_eq!(story[1], Reply::Stopped { id: 7, reason: StopReason::Failed });
}

#[test]
fn threat_09_endless_document_is_cut_off_without_being_kept() {
    let bench = Bench::new("endless");
    let (client, child) = bench.streaming();
    let mut replies = Vec::new();
    while !matches!(replies.last(), Some(Reply::Stopped { id: 7, reason: StopReason::Failed })) {
        replies.push(client.next_control());
    }
    let code = replies.iter().find_map(|reply| if let Reply::Error { code, .. } = reply { Some(*code) } else { None });
    assert_eq!(code, Some(ErrorCode::Oversize));
    assert!(!is_alive(child));
    assert_small("endless document", client.helper.id());
}

#[test]
fn simulator_that_does_not_exist_is_unavailable() {
    let bench = Bench::new("steady");
    fs::remove_file(bench.path("simulator")).unwrap();
    let mut client = Client::start(&mut bench.command());
    client.ask(&hello());
    client.ask(&start(7, &[Sampler::Thermal]));
    assert!(matches!(client.next_control(), Reply::HelloOk { powermetrics: false, .. }));
    assert!(matches!(client.next_control(), Reply::Error { code: ErrorCode::Unavailable, id: Some(7), .. }));
}

#[test]
fn wrong_arguments_exit_64() {
    let wrong: [&[&str]; 4] = [&[], &["stdio"], &["daemon", "--simulator", "/bin/sh"], &["stdio", "--simulator"]];
    for arguments in wrong {
        let mut command = Command::new(env!("CARGO_BIN_EXE_joulebar-helper-simulated"));
        let status = command.args(arguments).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn threat_11_told_to_end_the_helper_takes_its_child_along() {
    let bench = Bench::new("steady");
    let (mut client, child) = bench.streaming();
    kill(client.helper.id(), "-TERM");
    let replies = client.drain();
    assert_eq!(replies.last(), Some(&Reply::Stopped { id: 7, reason: StopReason::Shutdown }));
    assert_eq!(client.wait().0.code(), Some(0));
    assert!(!is_alive(child));
}

#[test]
fn interrupt_from_the_terminal_is_left_to_the_client() {
    let bench = Bench::new("steady");
    let (mut client, child) = bench.streaming();
    kill(client.helper.id(), "-INT");
    client.ask(&Request::Ping { n: 3 });
    while client.next_control() != (Reply::Pong { n: 3 }) {}
    assert!(is_alive(child));
}

#[test]
fn threat_11_killed_client_takes_helper_and_child_with_it() {
    for mode in ["steady", "hang", "flood"] {
        let bench = Bench::new(mode);
        let (to_helper, mut requests) = std::io::pipe().unwrap();
        let (replies, from_helper) = std::io::pipe().unwrap();
        let mut helper = bench.command().stdin(to_helper).stdout(from_helper).spawn().unwrap();
        requests.write_all(&encode_request(&hello()).unwrap()).unwrap();
        requests.write_all(&encode_request(&start(7, &[Sampler::Thermal])).unwrap()).unwrap();
        let child = bench.child();
        // a process that does nothing but hold the client's ends
        let mut client = Command::new("sleep").arg("1000").stdin(replies).stdout(requests).spawn().unwrap();
        assert!(is_alive(child));
        client.kill().unwrap();
        let since = Instant::now();
        wait_until("the helper ends", || helper.try_wait().unwrap().is_some());
        let helper_gone = since.elapsed();
        wait_until("the child ends", || !is_alive(child));
        let child_gone = since.elapsed();
        println!("client killed, child {mode}: helper gone after {helper_gone:.0?}, child after {child_gone:.0?}");
        assert!(child_gone < AFTERLIFE_LIMIT, "{child_gone:?}");
        client.wait().unwrap();
    }
}

#[test]
fn threat_11_killed_helper_takes_its_child_with_it() {
    let bench = Bench::new("steady");
    let (mut client, child) = bench.streaming();
    client.helper.kill().unwrap();
    client.wait();
    let gone = wait_until("the child ends", || !is_alive(child));
    println!("helper killed: child gone after {gone:.0?}");
    assert!(gone < AFTERLIFE_LIMIT, "{gone:?}");
}

#[test]
fn threat_09_reader_that_never_reads_costs_no_memory_and_gets_a_count_of_what_it_missed() {
    let bench = Bench::new("flood");
    let mut helper = bench.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut requests = helper.stdin.take().unwrap();
    requests.write_all(&encode_request(&hello()).unwrap()).unwrap();
    requests.write_all(&encode_request(&start(7, &[Sampler::Thermal])).unwrap()).unwrap();
    let child = bench.child();
    std::thread::sleep(Duration::from_secs(3));
    assert_only_child(helper.id(), child);
    let bytes_read = fs::read_to_string(format!("/proc/{}/io", helper.id())).unwrap();
    let rchar: u64 = bytes_read.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap();
    println!("the child wrote {:.0} MB in the meantime", rchar as f64 / 1e6);
    assert_small("reader that never reads", helper.id());
    drop(requests);
    let since = Instant::now();
    wait_until("the helper ends", || helper.try_wait().unwrap().is_some());
    assert!(since.elapsed() < AFTERLIFE_LIMIT, "{:?}", since.elapsed());
}

#[test]
fn threat_09_stopped_reader_finds_every_gap_counted_when_it_goes_on() {
    let bench = Bench::new("flood");
    let (replies, from_helper) = std::io::pipe().unwrap();
    let mut helper = bench.command().stdin(Stdio::piped()).stdout(from_helper).spawn().unwrap();
    let mut reader = Command::new("cat").stdin(replies).stdout(Stdio::piped()).spawn().unwrap();
    let mut requests = helper.stdin.take().unwrap();
    requests.write_all(&encode_request(&hello()).unwrap()).unwrap();
    kill(reader.id(), "-STOP");
    requests.write_all(&encode_request(&start(7, &[Sampler::Thermal])).unwrap()).unwrap();
    let child = bench.child();
    std::thread::sleep(Duration::from_secs(1));
    assert_only_child(helper.id(), child);
    assert_small("stopped reader", helper.id());
    kill(reader.id(), "-CONT");
    let mut output = reader.stdout.take().unwrap();
    let (mut decoder, mut buffer, mut seen) = (ReplyDecoder::new(), vec![0; 65_536], Vec::new());
    while seen.len() < 30 {
        let len = output.read(&mut buffer).unwrap();
        assert!(len > 0, "the helper goes on");
        decoder.push(&buffer[..len]);
        while let Some(received) = decoder.next_reply().unwrap() {
            if let Reply::Sample { seq, dropped, .. } = received.reply {
                seen.push((seq, dropped));
            }
        }
    }
    for (position, (seq, dropped)) in seen.iter().enumerate() {
        assert_eq!(*seq, position as u64 + dropped, "every jump of seq is counted in dropped");
    }
    assert!(seen.last().unwrap().1 > 0, "some were dropped");
    drop((requests, output));
    wait_until("the helper ends", || helper.try_wait().unwrap().is_some());
    reader.wait().unwrap();
}

#[test]
fn threat_09_hostile_clients_are_cut_off_small_and_without_a_child() {
    let bench = Bench::new("steady");
    let flood = frame(br#"{"t":"ping","n":1}"#).repeat(100_000);
    let mut attacks: Vec<(&str, Vec<u8>)> = vec![
        ("flood of pings", flood),
        ("frame of 4 GB", u32::MAX.to_le_bytes().repeat(1000)),
        ("frame one byte too long", frame(&[b' '; 4097])),
        ("100 MB of garbage", vec![0x5a; 100_000_000]),
        ("many empty frames", vec![0; 10_000_000]),
    ];
    attacks.extend(hostile_frames().into_iter().map(|frame| ("bad request, three times", frame.repeat(3))));
    let mut most = 0;
    for (what, bytes) in attacks {
        let mut client = bench.client();
        let process = client.helper.id();
        let writer = std::thread::spawn({
            let mut stdin = client.stdin.take().unwrap();
            // the pipe stays open afterwards: it is the helper that ends
            move || (stdin.write_all(&bytes), stdin)
        });
        let mut peak = 0;
        wait_until(what, || {
            peak = peak.max(peak_memory_bytes(process).unwrap_or(0));
            assert_no_children(process);
            client.helper.try_wait().unwrap().is_some()
        });
        most = most.max(peak);
        let replies = client.drain();
        let errors = replies.iter().filter(|reply| matches!(reply, Reply::Error { .. })).count();
        assert!((1..=3).contains(&errors), "{what}: {replies:?}");
        assert!(peak < MEMORY_LIMIT_BYTES, "{what}: {peak} bytes");
        drop(writer.join().unwrap());
    }
    println!("hostile clients: at most {:.1} MB", most as f64 / 1e6);
    assert!(!bench.path("arguments").exists(), "no child was ever started");
}

#[test]
fn threat_09_half_a_frame_is_waited_for_until_the_client_goes() {
    let bench = Bench::new("steady");
    let mut client = bench.client();
    let ping = encode_request(&Request::Ping { n: 3 }).unwrap();
    for byte in &ping {
        client.send(&[*byte]);
    }
    assert_eq!(client.next_control(), Reply::Pong { n: 3 });
    client.send(&ping[..7]);
    client.hang_up();
    let (status, after) = client.wait();
    assert_eq!(status.code(), Some(0));
    assert!(after < AFTERLIFE_LIMIT, "{after:?}");
}
