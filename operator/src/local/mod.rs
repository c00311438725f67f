//! A fleet as local processes: the same object, without Kubernetes.
