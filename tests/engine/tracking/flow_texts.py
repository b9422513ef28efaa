"""Flows that several tests of the pipeline run: one counts, one merges by an e-mail address."""

COUNT = """
flow: count
trigger: {event: hit}
nodes:
  up: {profile.increment: {traits.hits: 1}}
"""
LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
