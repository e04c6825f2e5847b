//go:build !lossy

package main

// intake is what takes datagrams off the socket. A program that is built with
// the tag lossy, for measures only, loses some of them here.
func intake(take func(datagram []byte)) func(datagram []byte) { return take }
