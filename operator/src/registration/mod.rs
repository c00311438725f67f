//! The data source in GoodData: observe it, plan what to change, act.
