//! One suite that every driver passes: the contract of [`driver`](super), line by line.
//!
//! A case is a generic function over a [`Rig`](rig::Rig): a driver, and peers for it. Here the cases are listed, and each
//! is made a test of each driver, so that `cargo test driver::conformance` reads
//! `conformance::epoll::bytes_are_in_order_over_many_lends`. `…_flaky` runs the same cases under a probe that shortens
//! and interrupts calls, and splits lends on a ring.

#![forbid(unsafe_code)]

mod accept;
mod child;
mod close;
mod connect;
mod datagram;
#[cfg(any(feature = "epoll", feature = "mio"))]
mod exhaustion;
mod file;
mod kernel;
mod pause;
mod receive;
mod reset;
mod rig;
#[cfg(feature = "io-uring")]
mod ring;
mod run;
mod seen;
mod send;
mod send_file;
mod simulated;
mod teardown;
mod tokens;
mod wake;

/// Makes a test of every case that is listed.
macro_rules! tests {
    ($on:ty; $($topic:ident: $($case:ident)*;)*) => {
        $($(
            #[test]
            fn $case() {
                super::$topic::$case::<$on>();
            }
        )*)*
    };
}

/// What every driver passes.
macro_rules! contract {
    ($rig:ty) => {
        tests! {
            $rig;
            receive:
                a_connection_lives_and_dies
                bytes_sent_before_the_accept_are_received
                bytes_are_in_order_over_many_lends
                many_connections_do_not_mix
                the_end_comes_once_and_last
                a_half_closed_connection_costs_no_turns
                a_half_closed_connection_can_be_answered
                a_connection_finished_both_ways_costs_no_turns
                a_reset_is_told_once_and_closes_nothing
                a_greedy_peer_does_not_starve_the_others;
            pause:
                a_pause_loses_nothing
                a_pause_right_after_the_accept_loses_nothing
                a_pause_in_the_middle_of_a_burst_loses_nothing
                pausing_and_resuming_in_every_turn_loses_nothing
                a_paused_connection_can_be_sent_to
                the_end_waits_behind_a_pause
                bytes_and_end_behind_a_pause_survive_our_own_end
                a_unix_peers_last_words_survive_a_pause
                a_reset_during_a_pause_is_told_once
                a_reset_of_our_own_connection_during_a_pause_is_told_once
                a_reset_behind_the_end_during_a_pause_is_told_once
                a_reset_around_the_end_of_a_pause_is_told_once
                a_reset_during_a_pause_fails_the_send_in_flight
                closing_a_paused_connection_that_was_reset;
            send:
                a_large_send_to_a_slow_peer_is_finished_inside
                one_large_part_is_finished_inside
                sixteen_parts_of_every_kind_arrive_in_order
                a_send_without_bytes_is_a_send
                unsent_falls_as_the_peer_reads
                both_directions_at_once
                many_sends_in_one_turn
                what_a_loan_leaves_goes_with_the_next_send
                a_loan_to_a_dead_peer_takes_nothing
                a_reset_gives_the_buffer_in_flight_back
                a_send_to_a_dead_peer_fails_with_its_buffer
                our_end_is_heard_and_the_peer_goes_on
                our_end_waits_behind_the_send_in_flight;
            send_file:
                a_whole_file
                ranges_of_a_file
                a_head_and_the_file_behind_it
                a_large_head_and_a_file_behind_it
                bytes_behind_a_file_leave_with_the_next_send
                an_empty_slice_adds_nothing
                a_file_that_ended_early_fails_the_send
                a_file_that_is_cut_meanwhile_fails_the_send
                a_file_that_cannot_be_read_fails_the_send
                a_file_that_was_opened_not_to_wait
                a_slow_reader_gets_a_file_whole
                closing_in_the_middle_of_a_file
                a_reset_in_the_middle_of_a_file_fails_the_send
                our_end_waits_behind_the_file_in_flight
                many_files_at_once
                others_are_served_while_a_file_leaves;
            close:
                closing_right_after_the_accept
                closing_in_the_middle_of_a_turn
                closing_twice_is_closing_once
                closing_with_everything_in_flight_gives_the_buffer_back
                closing_a_paused_connection
                closing_after_the_end_and_after_a_reset
                answers_that_are_still_queued_die_with_their_connection
                closing_while_connecting
                what_was_sent_before_the_close_arrives
                thousands_of_connections_use_few_slots;
            reset:
                a_reset_is_heard_as_one
                a_reset_of_a_connection_of_ours
                a_reset_throws_away_what_was_not_read
                a_reset_with_a_send_in_flight_gives_the_buffer_back
                a_reset_in_the_middle_of_a_file_of_ours
                a_reset_behind_everything_else_in_flight
                a_reset_while_paused_with_unread_bytes
                a_reset_after_our_end
                a_reset_after_the_peers_end
                a_reset_of_a_unix_socket_is_a_close
                a_reset_while_connecting
                resetting_and_closing_is_answered_once
                the_index_of_a_reset_connection_is_used_again;
            tokens:
                a_stale_token_is_ignored_by_every_method
                a_token_from_nowhere_is_ignored
                churn_under_load_mixes_nobody_up;
            accept:
                a_crowd_is_accepted
                one_turn_accepts_no_more_than_it_may
                a_full_table_turns_nobody_away
                a_free_place_is_filled_at_once
                a_full_table_with_two_listeners_turns_nobody_away
                a_pause_lets_clients_wait
                stopping_takes_in_all_who_wait
                stopping_while_paused_takes_in_all_who_wait
                stopping_with_a_full_table_turns_nobody_away
                closing_a_listener_at_once_resets_who_waits
                two_listeners_keep_apart
                a_client_that_is_gone_before_the_accept_does_no_harm;
            connect:
                a_connection_of_ours
                a_peer_that_speaks_first_is_heard
                a_refusal_is_told_and_closes_nothing
                the_source_can_be_chosen
                many_connections_of_ours_at_once
                an_adopted_stream_is_one_of_ours
                a_peers_address_is_told
                a_unix_peers_name_is_told_whole
                a_dead_peer_has_no_address_or_its_old_one;
            file:
                slices_of_a_file
                several_connections_read_at_once
                a_file_that_cannot_be_read_is_an_error;
            datagram:
                datagrams_go_both_ways
                many_datagrams_are_in_flight_at_once
                a_datagram_that_is_too_long_is_cut_and_said_so
                a_paused_datagram_socket_is_silent
                a_datagram_that_nobody_takes_harms_nothing
                a_datagram_socket_closes_with_datagrams_in_flight;
            wake:
                a_wake_before_the_wait_is_not_lost
                a_wake_in_the_middle_of_a_turn_is_not_lost
                many_wakes_are_a_few_events
                a_wake_wakes_nobody_else
                a_wake_outlives_the_driver;
            teardown:
                a_teardown_ends_everything_in_flight
                a_teardown_after_some_turns
                a_driver_that_is_dropped_ends_everything_in_flight
                a_driver_may_be_used_after_its_teardown;
        }
    };
}

/// What only a driver that sleeps in the kernel can pass.
macro_rules! sleeping {
    ($rig:ty) => {
        tests! {
            $rig;
            wake:
                a_wake_from_another_thread_ends_a_wait_without_limit
                a_wait_lasts_as_long_as_it_may;
            send_file:
                a_fast_reader_does_not_hold_the_loop;
        }
    };
}

/// What needs a process of its own.
macro_rules! alone {
    ($topic:ident: $case:ident on $rig:ty) => {
        #[test]
        fn $case() {
            if super::child::alone(concat!(module_path!(), "::", stringify!($case))) {
                super::$topic::$case::<$rig>();
            }
        }
    };
}

/// What only a ring can pass.
#[cfg(feature = "io-uring")]
macro_rules! ring {
    ($rig:ty) => {
        tests! {
            $rig;
            ring:
                a_dry_buffer_group_loses_nothing
                an_overflown_completion_queue_loses_nothing
                everything_tiny_at_once_loses_nothing
                a_teardown_leaves_nothing_in_flight
                a_pause_is_one_operation_and_leaves_none_behind
                a_head_waits_for_its_file
                stages_are_given_back
                a_full_submission_queue_does_not_prolong_the_turn
                a_turn_that_is_broken_off_loses_nothing
                a_message_that_came_at_once_is_lent_at_once
                much_that_came_at_once_is_lent_in_pieces
                a_large_send_is_done_at_once
                a_first_answer_that_is_stuck_does_not_deafen
                many_who_never_stop_starve_nobody;
        }
    };
}

/// The suite on a poller.
#[cfg(any(feature = "epoll", feature = "mio"))]
macro_rules! poller {
    ($name:ident, $poller:ty, $probe:ty) => {
        mod $name {
            type Rig = super::kernel::Kernel<crate::driver::readiness::Readiness<$poller, $probe>>;
            contract!(Rig);
            sleeping!(Rig);
            alone!(exhaustion: running_out_of_descriptors_turns_nobody_away on Rig);
            alone!(exhaustion: stopping_without_a_descriptor_ends_when_nobody_waits on Rig);
        }
    };
}

/// The suite on `io_uring`.
#[cfg(feature = "io-uring")]
macro_rules! uring {
    ($name:ident, $probe:ty, $old:literal) => {
        mod $name {
            type Rig = super::kernel::Kernel<crate::driver::uring::Uring<$probe>, $old>;
            contract!(Rig);
            sleeping!(Rig);
            ring!(Rig);
            alone!(ring: a_ring_needs_no_descriptors on Rig);
            alone!(exhaustion: stopping_without_a_descriptor_ends_when_nobody_waits on Rig);
        }
    };
}

/// The suite in a kernel made of memory.
macro_rules! sim {
    ($name:ident, $shape:literal, $seed:literal) => {
        mod $name {
            contract!(super::simulated::Simulated<$shape, $seed>);
        }
    };
}

#[cfg(feature = "epoll")]
poller!(epoll, crate::driver::epoll::Epoll, crate::sys::Silent);
#[cfg(feature = "epoll")]
poller!(epoll_flaky, crate::driver::epoll::Epoll, crate::sys::Flaky);
#[cfg(feature = "mio")]
poller!(mio, crate::driver::mio::Mio, crate::sys::Silent);
#[cfg(feature = "mio")]
poller!(mio_flaky, crate::driver::mio::Mio, crate::sys::Flaky);
#[cfg(feature = "io-uring")]
uring!(uring, crate::sys::Silent, false);
#[cfg(feature = "io-uring")]
uring!(uring_flaky, crate::sys::Flaky, false);
#[cfg(feature = "io-uring")]
uring!(uring_as_before_6_16, crate::sys::Silent, true);
sim!(sim, 0, 0);
sim!(sim_as_a_ring, 1, 0);
sim!(sim_by_chance, 0, 7);
sim!(sim_as_a_ring_by_chance, 1, 11);
