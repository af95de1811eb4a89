use super::*;

const MS: i64 = 1_000_000;

fn change(at_ms: i64, state: State, request: &str) -> Change {
    Change { mono_ns: at_ms * MS, state, request: Some(request.to_owned()), utilization: None }
}

/// Prefill from 2.013 s, decode from 2.5 s, end at 7.777 s.
fn one_request() -> PowerModel {
    let mut model = PowerModel::new(Parameters::default(), 42);
    model.push(change(2_013, State::Prefill, "a"));
    model.push(change(2_500, State::Decode, "a"));
    model.push(change(7_777, State::Idle, "a"));
    model
}

/// Composite Simpson between all points where the power or its slope jumps.
fn quadrature(model: &PowerModel, rail: Rail, from_ns: i64, to_ns: i64) -> f64 {
    let mut cuts = vec![from_ns, to_ns];
    cuts.extend((0..=to_ns.div_euclid(200 * MS)).map(|cell| cell * 200 * MS));
    cuts.extend(model.segments.iter().map(|segment| segment.start_ns));
    cuts.retain(|cut| (from_ns..=to_ns).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    let mut sum = 0.0;
    for pair in cuts.windows(2) {
        const STEPS: i64 = 200;
        let width_ns = pair[1] - pair[0];
        for step in 0..STEPS {
            let a = pair[0] + width_ns * step / STEPS;
            let b = pair[0] + width_ns * (step + 1) / STEPS;
            if b - a < 4 {
                continue;
            }
            // the right end belongs to the next cell: stay a nanosecond inside
            let right = b - i64::from(b == pair[1]);
            sum += (model.power_w(rail, a) + 4.0 * model.power_w(rail, a + (b - a) / 2) + model.power_w(rail, right))
                * seconds(b - a)
                / 6.0;
        }
    }
    sum
}

#[test]
fn energy_agrees_with_fine_quadrature_in_any_window() {
    let mut bits = 1;
    for throttle in [None, Some(Throttle { after_s: 1.7, load_factor: 0.6, recover_s: 5.0 })] {
        let mut model = PowerModel::new(Parameters { throttle, ..Parameters::default() }, 3);
        for change in &one_request().changes {
            model.push(change.clone());
        }
        model.push(Change { utilization: Some(0.4), ..change(8_100, State::Prefill, "b") });
        model.push(change(8_900, State::Idle, "b"));
        for _ in 0..60 {
            bits = mix(bits);
            let from_ns = i64::try_from(bits % 12_000_000_000).unwrap();
            bits = mix(bits);
            let to_ns = from_ns + 1 + i64::try_from(bits % 5_000_000_000).unwrap();
            for rail in [Rail::Cpu, Rail::Gpu] {
                let exact = model.energy(rail, from_ns, to_ns);
                let numeric = quadrature(&model, rail, from_ns, to_ns);
                assert!(
                    (exact - numeric).abs() <= 1e-6 * exact + 1e-9,
                    "{rail:?} [{from_ns}, {to_ns}]: exact {exact}, numeric {numeric}"
                );
            }
        }
    }
}

#[test]
fn energy_is_additive_over_neighbouring_windows() {
    let model = one_request();
    let cuts =
        [0, 1_999_000_123, 2_013_000_000, 2_300_000_001, 2_500_000_000, 7_777_000_000, 7_900_000_000, 30_000_000_000];
    let parts: f64 = cuts.windows(2).map(|pair| model.combined_energy(pair[0], pair[1])).sum();
    let whole = model.combined_energy(0, 30_000_000_000);
    assert!((parts - whole).abs() < 1e-11 * whole);
    assert_eq!(model.combined_energy(5, 5), 0.0);
}

#[test]
fn truth_is_the_difference_to_the_same_mac_without_the_request() {
    let (with, without) = (one_request(), PowerModel::new(Parameters::default(), 42));
    let truth = with.truth("a").unwrap();
    let far_ns = 400_000_000_000;
    let difference_j = with.combined_energy(0, far_ns) - without.combined_energy(0, far_ns);
    assert!((truth.net_j.combined - difference_j).abs() < 1e-8 * difference_j, "{truth:?} {difference_j}");
    let within_j =
        with.combined_energy(truth.sent_ns, truth.last_ns) - without.combined_energy(truth.sent_ns, truth.last_ns);
    assert!((truth.net_within_j.combined - within_j).abs() < 1e-9 * within_j);
    assert!(truth.tail_j.combined > 1.0, "the ramp of 24 W alone leaves 2 J: {}", truth.tail_j.combined);
    assert!(!truth.shared);
}

#[test]
fn parts_of_the_truth_add_up() {
    let truth = one_request().truth("a").unwrap();
    let sum = truth.idle_j.gpu + truth.noise_j.gpu + truth.carried_in_j.gpu + truth.net_within_j.gpu;
    assert!((truth.gross_j.gpu - sum).abs() < 1e-9);
    assert!(truth.carried_in_j.gpu.abs() < 1e-9);
    let close = |parts: [Option<RailJoules>; 2], whole: RailJoules| {
        let parts_j: f64 = parts.map(|part| part.unwrap().combined).iter().sum();
        assert!((parts_j - whole.combined).abs() < 1e-9, "{parts_j} {}", whole.combined);
    };
    close([truth.prefill_gross_j, truth.decode_gross_j], truth.gross_j);
    close([truth.prefill_net_within_j, truth.decode_net_within_j], truth.net_within_j);
    close([truth.prefill_caused_j, truth.decode_caused_j], truth.net_j);
    // 0.487 s at 33.49 W above idle, tail of 0.5 % included
    assert!((truth.prefill_caused_j.unwrap().combined - 0.487 * 33.49 * 1.005).abs() < 1e-9);
    assert!((truth.idle_power_w - 0.51).abs() < 1e-12);
}

#[test]
fn late_changes_give_the_same_model_as_punctual_ones() {
    let punctual = one_request();
    let mut late = PowerModel::new(Parameters::default(), 42);
    late.push(change(7_777, State::Idle, "a"));
    late.push(change(2_500, State::Decode, "a"));
    late.push(change(2_013, State::Prefill, "a"));
    assert_eq!(late.truth("a"), punctual.truth("a"));
    assert_eq!(late.combined_energy(0, 9_000 * MS), punctual.combined_energy(0, 9_000 * MS));
}

#[test]
fn next_request_inherits_the_tail_but_its_own_truth_does_not_change() {
    let mut model = one_request();
    model.push(change(8_000, State::Prefill, "b"));
    model.push(change(8_487, State::Decode, "b"));
    model.push(change(13_764, State::Idle, "b"));
    let (first, second) = (model.truth("a").unwrap(), model.truth("b").unwrap());
    assert!((first.net_j.combined - second.net_j.combined).abs() < 1e-9);
    assert!(second.carried_in_j.combined > 0.1);
    let sum = second.idle_j.combined + second.noise_j.combined + second.carried_in_j.combined;
    assert!((second.gross_j.combined - sum - second.net_within_j.combined).abs() < 1e-9);
}

#[test]
fn simultaneous_requests_share_the_load_and_say_so() {
    let mut model = PowerModel::new(Parameters::default(), 42);
    model.push(change(1_000, State::Decode, "a"));
    model.push(change(2_000, State::Decode, "b"));
    model.push(change(4_000, State::Idle, "a"));
    model.push(change(5_000, State::Idle, "b"));
    let (a, b) = (model.truth("a").unwrap(), model.truth("b").unwrap());
    assert!(a.shared && b.shared);
    assert!((a.net_j.combined - b.net_j.combined).abs() < 1e-9);
    assert!((a.net_j.combined + b.net_j.combined - 4.0 * 24.49 * 1.005).abs() < 1e-9);
    assert_eq!(a.first_token_ns, Some(a.sent_ns));
}

#[test]
fn unfinished_request_has_no_truth_and_idle_for_all_ends_it() {
    let mut model = PowerModel::new(Parameters::default(), 42);
    model.push(change(1_000, State::Prefill, "a"));
    assert_eq!(model.truth("a"), None);
    model.push(Change { mono_ns: 1_500 * MS, state: State::Idle, request: None, utilization: None });
    let truth = model.truth("a").unwrap();
    assert_eq!((truth.last_ns, truth.first_token_ns, truth.decode_gross_j), (1_500 * MS, None, None));
    assert_eq!(model.finished().collect::<Vec<_>>(), [("a", 1_500 * MS)]);
}

#[test]
fn sustained_load_throttles_and_recovers() {
    let throttle = Throttle { after_s: 10.0, load_factor: 0.5, recover_s: 20.0 };
    let mut model = PowerModel::new(Parameters { throttle: Some(throttle), ..Parameters::default() }, 1);
    model.push(change(0, State::Prefill, "a"));
    model.push(change(2_000, State::Decode, "a"));
    assert!(model.power_w(Rail::Gpu, 9_900 * MS) > 21.0);
    // asked about before anything else happens: the break is there although no change has told of it
    assert!(model.power_w(Rail::Gpu, 12_000 * MS) < 12.0);
    let pressures = [4_000, 6_000, 11_000].map(|at_ms| model.pressure(at_ms * MS));
    assert_eq!(pressures, [Pressure::Nominal, Pressure::Moderate, Pressure::Heavy]);
    model.push(change(15_000, State::Idle, "a"));
    assert_eq!(model.pressure(16_000 * MS), Pressure::Moderate);
    assert_eq!(model.pressure(36_000 * MS), Pressure::Nominal);
    model.push(change(40_000, State::Decode, "b"));
    assert!(model.power_w(Rail::Gpu, 42_000 * MS) > 21.0);
    assert_eq!(model.pressure(42_000 * MS), Pressure::Nominal);
}

#[test]
fn change_before_a_planned_throttling_takes_its_place() {
    let throttle = Throttle { after_s: 10.0, load_factor: 0.5, recover_s: 20.0 };
    let mut throttling = PowerModel::new(Parameters { throttle: Some(throttle), ..Parameters::default() }, 1);
    let mut plain = PowerModel::new(Parameters::default(), 1);
    for model in [&mut throttling, &mut plain] {
        model.push(change(0, State::Decode, "a"));
        model.push(change(9_999, State::Idle, "a"));
    }
    assert_eq!(throttling.combined_energy(0, 60_000 * MS), plain.combined_energy(0, 60_000 * MS));
}

#[test]
fn residency_counts_each_state_by_its_utilization() {
    let mut model = one_request();
    model.push(Change { utilization: Some(0.25), ..change(8_000, State::Prefill, "b") });
    let residency = model.residency(2_000 * MS, 10_000 * MS);
    assert!((residency.prefill_s - (0.487 + 0.25 * 2.0)).abs() < 1e-9);
    assert!((residency.decode_s - 5.277).abs() < 1e-9);
    assert!((residency.prefill_s + residency.decode_s + residency.idle_s - 8.0).abs() < 1e-9);
}

#[test]
fn power_is_never_negative_and_mean_idle_is_what_the_parameters_say() {
    let model = PowerModel::new(Parameters::default(), 9);
    let lowest = (0..50_000).map(|cell| model.power_w(Rail::Cpu, cell * 200 * MS)).fold(f64::INFINITY, f64::min);
    assert!(lowest >= 0.0);
    let mean_w = model.combined_energy(0, 4_000_000 * MS) / 4_000.0;
    assert!((mean_w - 0.51).abs() < 0.002, "{mean_w}");
}
