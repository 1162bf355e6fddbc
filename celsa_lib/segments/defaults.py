"""What segments are made with unless something else is asked for; loads nothing heavy."""

TAU = 0.9  # groups merge above this cosine of their names
PAPER_MODEL = "gpt-4.1-nano-2025-04-14"  # named the paper's segments; retired in October 2026
