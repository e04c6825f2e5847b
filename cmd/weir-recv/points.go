//go:build !failpoints

package main

// points is what the vault tells of its progress, which is of use to nobody but
// tests. A program that is built with the tag failpoints tells them of it.
func points() func(name string) { return nil }
