//! Pages of `ListRooms`.

use crate::Fail;
use crate::measure::Plan;
use crate::report::Section;

pub const SCENARIO: &str = "list-rooms";

pub fn run(_plan: Plan) -> Result<Section, Fail> {
    Ok(Section::new(SCENARIO))
}
