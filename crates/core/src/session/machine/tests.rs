use super::*;

fn at(seconds: f64) -> MonotonicTime {
    #[expect(clippy::cast_possible_truncation, reason = "test instants are small")]
    MonotonicTime((seconds * 1e9).round() as i64)
}

fn lengths() -> Lengths {
    Lengths {
        baseline: Duration::from_secs(10),
        cooldown: Duration::from_secs(10),
        first_sample: Duration::from_secs(5),
        sample_grace: Duration::from_secs(1),
    }
}

fn sample(machine: &mut Machine, seconds: f64) -> Vec<Action> {
    machine.handle(at(seconds), Event::Sample { end: at(seconds) })
}

fn enter(phase: Phase, prompt: Option<usize>) -> Action {
    Action::Enter { phase, prompt }
}

/// A machine in the decode phase of prompt 0: baseline at 1 s, sent at 11 s, first token at 12 s.
fn decoding(prompts: usize) -> Machine {
    let mut machine = Machine::new(lengths(), 0..prompts);
    machine.handle(at(0.0), Event::Tick);
    sample(&mut machine, 1.0);
    assert_eq!(machine.handle(at(11.0), Event::Tick), [Action::Send { prompt: 0 }]);
    machine.handle(at(11.0), Event::RequestSent);
    machine.handle(at(12.0), Event::FirstToken);
    assert_eq!(machine.phase(), Phase::Decode);
    machine
}

#[test]
fn one_prompt_goes_through_all_phases_in_order() {
    let mut machine = Machine::new(lengths(), [0]);
    assert_eq!(machine.handle(at(0.0), Event::Tick), [enter(Phase::Starting, None)]);
    assert_eq!(machine.wake_at(), Some(at(5.0)));
    assert_eq!(sample(&mut machine, 1.0), [enter(Phase::Baseline, Some(0))]);
    assert_eq!(sample(&mut machine, 10.9), []);
    assert_eq!(machine.wake_at(), Some(at(11.0)));
    assert_eq!(machine.handle(at(11.0), Event::Tick), [Action::Send { prompt: 0 }]);
    assert_eq!(
        machine.handle(at(11.001), Event::RequestSent),
        [Action::Mark(Boundary::RequestSent), enter(Phase::Prefill, Some(0))]
    );
    assert_eq!(
        machine.handle(at(12.0), Event::FirstToken),
        [Action::Mark(Boundary::FirstToken), enter(Phase::Decode, Some(0))]
    );
    assert_eq!(machine.handle(at(12.1), Event::FirstToken), []);
    assert_eq!(
        machine.handle(at(20.0), Event::GenerationEnded { server_lost: false }),
        [Action::Mark(Boundary::LastToken), enter(Phase::Cooldown, Some(0))]
    );
    assert_eq!(sample(&mut machine, 29.9), []);
    let marks = PhaseMarks {
        baseline_start: at(1.0),
        request_sent: at(11.001),
        first_token: Some(at(12.0)),
        last_token: at(20.0),
        cooldown_end: at(30.0),
    };
    assert_eq!(
        sample(&mut machine, 30.1),
        [Action::Keep { prompt: 0, marks }, enter(Phase::Done, None), Action::Finish(EndReason::Completed)]
    );
    assert_eq!(machine.wake_at(), None);
}

#[test]
fn next_baseline_begins_when_the_cooldown_is_over() {
    let mut machine = decoding(2);
    machine.handle(at(20.0), Event::GenerationEnded { server_lost: false });
    let actions = sample(&mut machine, 30.2);
    assert!(matches!(actions[0], Action::Keep { prompt: 0, .. }));
    assert_eq!(actions[1], enter(Phase::Baseline, Some(1)));
    assert_eq!(machine.wake_at(), Some(at(40.2)));
}

#[test]
fn cooldown_waits_for_its_samples_but_not_for_ever() {
    let mut machine = decoding(1);
    machine.handle(at(20.0), Event::GenerationEnded { server_lost: false });
    assert_eq!(machine.wake_at(), Some(at(30.0)));
    assert_eq!(machine.handle(at(30.0), Event::Tick), [Action::Mark(Boundary::CooldownEnd)], "no sample covers it yet");
    assert_eq!(machine.handle(at(30.1), Event::Tick), []);
    assert_eq!(machine.wake_at(), Some(at(31.0)));
    assert!(matches!(machine.handle(at(31.0), Event::Tick)[0], Action::Keep { .. }));
}

#[test]
fn without_any_sample_the_session_ends_and_says_so() {
    let mut machine = Machine::new(lengths(), [0]);
    machine.handle(at(0.0), Event::Tick);
    assert_eq!(machine.handle(at(4.9), Event::Tick), []);
    assert!(machine.handle(at(5.0), Event::Tick).contains(&Action::Finish(EndReason::NoSamples)));
}

#[test]
fn first_interrupt_lets_the_running_prompt_finish() {
    let mut machine = decoding(3);
    assert_eq!(machine.handle(at(13.0), Event::Interrupt { now: false }), []);
    machine.handle(at(20.0), Event::GenerationEnded { server_lost: false });
    let actions = sample(&mut machine, 30.0);
    assert!(matches!(actions[0], Action::Keep { prompt: 0, .. }));
    assert_eq!(actions.last(), Some(&Action::Finish(EndReason::Interrupted)));
}

#[test]
fn second_interrupt_cancels_the_request_at_once() {
    let mut machine = decoding(3);
    machine.handle(at(13.0), Event::Interrupt { now: false });
    let actions = machine.handle(at(13.5), Event::Interrupt { now: true });
    assert_eq!(actions, [Action::Cancel, enter(Phase::Done, None), Action::Finish(EndReason::Interrupted)]);
    assert_eq!(machine.handle(at(14.0), Event::Interrupt { now: true }), []);
}

#[test]
fn interrupt_in_a_baseline_ends_the_session_at_once() {
    let mut machine = Machine::new(lengths(), [0]);
    machine.handle(at(0.0), Event::Tick);
    sample(&mut machine, 1.0);
    let actions = machine.handle(at(2.0), Event::Interrupt { now: false });
    assert_eq!(actions.last(), Some(&Action::Finish(EndReason::Interrupted)));
}

#[test]
fn lost_power_cancels_the_request_and_ends_the_session() {
    let mut machine = decoding(1);
    let actions = machine.handle(at(13.0), Event::PowerLost);
    assert_eq!(actions[0], Action::Cancel);
    assert_eq!(actions.last(), Some(&Action::Finish(EndReason::PowerLost)));
}

#[test]
fn lost_server_ends_the_session_without_keeping_the_broken_prompt() {
    let mut machine = decoding(3);
    let actions = machine.handle(at(20.0), Event::GenerationEnded { server_lost: true });
    assert_eq!(actions, [enter(Phase::Done, None), Action::Finish(EndReason::ServerLost)]);
}

#[test]
fn stopping_at_once_in_a_cooldown_keeps_the_finished_prompt() {
    let events = [(Event::Interrupt { now: true }, EndReason::Interrupted), (Event::PowerLost, EndReason::PowerLost)];
    for (event, reason) in events {
        let mut machine = decoding(3);
        machine.handle(at(20.0), Event::GenerationEnded { server_lost: false });
        let actions = machine.handle(at(23.0), event);
        let Action::Keep { prompt: 0, marks } = actions[0] else { panic!("not kept: {actions:?}") };
        assert_eq!(marks.cooldown_end, at(23.0));
        assert_eq!(actions.last(), Some(&Action::Finish(reason)));
    }
}

#[test]
fn request_that_was_never_sent_leaves_nothing_to_keep() {
    let mut machine = Machine::new(lengths(), [0]);
    machine.handle(at(0.0), Event::Tick);
    sample(&mut machine, 1.0);
    machine.handle(at(11.0), Event::Tick);
    let actions = machine.handle(at(11.1), Event::GenerationEnded { server_lost: true });
    assert_eq!(actions.last(), Some(&Action::Finish(EndReason::ServerLost)));
    assert!(!actions.iter().any(|action| matches!(action, Action::Keep { .. })));
}

#[test]
fn generation_without_a_visible_first_token_goes_straight_to_cooldown() {
    let mut machine = Machine::new(lengths(), [0]);
    machine.handle(at(0.0), Event::Tick);
    sample(&mut machine, 1.0);
    machine.handle(at(11.0), Event::Tick);
    machine.handle(at(11.0), Event::RequestSent);
    assert_eq!(machine.phase(), Phase::Prefill);
    machine.handle(at(15.0), Event::GenerationEnded { server_lost: false });
    assert_eq!(machine.phase(), Phase::Cooldown);
}

#[test]
fn stopping_in_the_last_cooldown_leaves_a_complete_session() {
    for now in [false, true] {
        let mut machine = decoding(1);
        machine.handle(at(20.0), Event::GenerationEnded { server_lost: false });
        let mut actions = machine.handle(at(23.0), Event::Interrupt { now });
        actions.extend(sample(&mut machine, 30.0));
        assert!(matches!(actions[0], Action::Keep { prompt: 0, .. }), "{actions:?}");
        assert_eq!(actions.last(), Some(&Action::Finish(EndReason::Completed)));
    }
}

#[test]
fn last_token_is_marked_once_and_before_the_stream_ends() {
    let mut machine = decoding(1);
    assert_eq!(machine.handle(at(19.9), Event::LastToken), [Action::Mark(Boundary::LastToken)]);
    assert_eq!(machine.handle(at(19.9), Event::LastToken), []);
    assert_eq!(
        machine.handle(at(19.9), Event::GenerationEnded { server_lost: false }),
        [enter(Phase::Cooldown, Some(0))]
    );
}
