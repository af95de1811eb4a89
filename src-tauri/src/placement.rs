//! Where the popover goes: under its icon, inside the screen. Pure arithmetic in physical pixels.

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Space between menu bar and popover, and to the screen's edges, in points.
const GAP: f64 = 6.0;

/// The upper left corner of a popover of `width` x `height` under `icon`, on the screen of `screens` that holds the icon
/// (else on the first). Without an icon it stands in the upper right corner. `scale` is pixels a point.
pub fn under(icon: Option<Area>, width: f64, height: f64, screens: &[Area], scale: f64) -> (f64, f64) {
    let gap = GAP * scale;
    let center = icon.map(|icon| (icon.x + icon.width / 2.0, icon.y + icon.height / 2.0));
    let holds = |screen: &&Area| center.is_some_and(|(x, y)| contains(screen, x, y));
    let Some(screen) = screens.iter().find(holds).or_else(|| screens.first()) else { return (0.0, 0.0) };
    let (wanted_x, wanted_y) = match icon {
        Some(icon) => (icon.x + (icon.width - width) / 2.0, icon.y + icon.height + gap),
        None => (screen.x + screen.width - width - gap, screen.y + gap),
    };
    let right = screen.x + screen.width - width - gap;
    let bottom = screen.y + screen.height - height - gap;
    // a popover that is larger than the screen keeps its upper left corner in sight
    let x = wanted_x.min(right).max(screen.x + gap.min((screen.width - width).max(0.0)));
    let y = wanted_y.min(bottom).max(screen.y);
    (x.round(), y.round())
}

fn contains(area: &Area, x: f64, y: f64) -> bool {
    (area.x..area.x + area.width).contains(&x) && (area.y..area.y + area.height).contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Area = Area { x: 0.0, y: 0.0, width: 1_440.0, height: 900.0 };
    const RIGHT: Area = Area { x: 1_440.0, y: -180.0, width: 1_920.0, height: 1_080.0 };

    fn icon(x: f64, y: f64) -> Option<Area> {
        Some(Area { x, y, width: 70.0, height: 24.0 })
    }

    #[test]
    fn it_hangs_centred_under_its_icon() {
        assert_eq!(under(icon(700.0, 0.0), 360.0, 500.0, &[LEFT, RIGHT], 1.0), (555.0, 30.0));
        assert_eq!(under(icon(700.0, 0.0), 360.0, 500.0, &[LEFT, RIGHT], 2.0), (555.0, 36.0));
    }

    #[test]
    fn it_stays_inside_the_screen_of_its_icon() {
        assert_eq!(under(icon(1_360.0, 0.0), 360.0, 500.0, &[LEFT, RIGHT], 1.0).0, 1_074.0);
        assert_eq!(under(icon(0.0, 0.0), 360.0, 500.0, &[LEFT], 1.0).0, 6.0);
        assert_eq!(under(icon(1_450.0, -180.0), 360.0, 500.0, &[LEFT, RIGHT], 1.0), (1_446.0, -150.0));
        assert_eq!(under(icon(700.0, 0.0), 360.0, 2_000.0, &[LEFT], 1.0).1, 0.0);
    }

    #[test]
    fn without_an_icon_or_a_screen_it_still_has_a_place() {
        assert_eq!(under(None, 360.0, 500.0, &[LEFT], 1.0), (1_074.0, 6.0));
        assert_eq!(under(icon(5.0, 5.0), 360.0, 500.0, &[], 1.0), (0.0, 0.0));
        assert_eq!(under(icon(9_000.0, 0.0), 360.0, 500.0, &[LEFT], 1.0).0, 1_074.0);
    }
}
