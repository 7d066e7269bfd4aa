"""The terminal application: shows, asks, plays; computes nothing about sound."""
