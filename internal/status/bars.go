package status

import "weir/internal/linkquality"

// Bars returns buckets in the form of the files.
func Bars(buckets []linkquality.Bucket) []Bar {
	all := make([]Bar, 0, len(buckets))
	for i := range buckets {
		b := &buckets[i]
		all = append(all, Bar{b.Start, b.Received, b.Lost, b.Longest})
	}
	return all
}
