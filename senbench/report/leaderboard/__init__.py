"""The leaderboard: entries, boards, page and site."""
