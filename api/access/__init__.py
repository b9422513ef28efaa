"""Access: roles, credentials, users, sessions, access keys, the audit log, and the mask of personal data."""
