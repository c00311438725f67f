//! The build step: from a validated fleet to every object it consists of. Pure.
